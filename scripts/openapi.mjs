// `npm run openapi`: writes public/openapi.json anew, after a change of the routes or of what they take and answer.
import { exitWith, noArguments, run } from "./lib/project.mjs";
import { prepare } from "./lib/prepare.mjs";

noArguments(import.meta.url);
await prepare("rust");
try {
  await run("cargo", ["test", "--locked", "--test", "api", "--", "--quiet", "--exact", "openapi::the_document_is_what_the_types_and_the_routes_say"], {
    env: { WRITE_OPENAPI: "1" },
    advice: "The document could not be written: see above what it lacks.",
  });
} catch (error) {
  exitWith(error);
}
