// `npm run build`: the release build of the Worker, in build/.
import { prepare } from "./lib/prepare.mjs";
import { noArguments } from "./lib/project.mjs";

noArguments(import.meta.url);
await prepare("worker");
