// `npm run build`: the release build of the Worker, in build/.
import { prepare } from "./lib/prepare.mjs";

await prepare("worker");
