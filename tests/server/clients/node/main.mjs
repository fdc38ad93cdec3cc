// What the scripts beside this one share: node main of SCRIPT CHECK PROTOCOL URL prints JSON.
import { createRequire } from "node:module";
import path from "node:path";

export const QUESTION = "Is it warm in Paris?";
export const RESULT = "21 degrees";
export const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

// Packages lie in a folder of their own, which scripts elsewhere do not find by themselves.
export const load = createRequire(path.join(process.env.PYHADES_NODE_CLIENTS, "package.json"));

export async function main(checksOf) {
  const [check, protocol, url] = process.argv.slice(2);
  const told = await checksOf(protocol, `${url}/v1`)[check]();
  console.log(JSON.stringify(told));
}
