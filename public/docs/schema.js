// Schemas as people read them: a type in few words, and a table of fields.

import { make } from "../js/dom.js";

const nameOf = (ref) => ref.split("/").pop();
const isNull = (schema) => schema.type === "null";

/** Where a reference leads in the document. */
export const follow = (document, { $ref }) =>
  $ref
    .slice(2)
    .split("/")
    .reduce((place, key) => place[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);

/** A type in few words; named ones are links. */
export function typeOf(schema) {
  if (schema.$ref) return [make("a", { href: `#type-${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return joined([...either.filter((one) => !isNull(one)), ...either.filter(isNull)].map(typeOf), " or ");
  if (schema.allOf) return joined(schema.allOf.map(typeOf), " and ");
  if ("const" in schema) return [code(JSON.stringify(schema.const))];
  if (schema.enum) return joined(schema.enum.map((value) => [code(JSON.stringify(value))]), ", ");
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.type === "object" && schema.additionalProperties) return ["map of ", ...typeOf(schema.additionalProperties)];
  const types = [schema.type ?? "anything"].flat();
  if (types.includes("object") && schema.properties) {
    const names = joined(Object.keys(schema.properties).map((name) => [code(name)]), ", ");
    return ["object with ", ...names, ...(types.includes("null") ? [", or null"] : [])];
  }
  return [types.map((type) => (type === "string" && schema.format ? schema.format : type)).join(" or "), ...rules(schema)];
}

const code = (text) => make("code", {}, text);
const joined = (parts, between) => parts.flatMap((part, index) => (index === 0 ? part : [between, ...part]));

/** What a value must keep besides its type. */
function rules({ minimum, maximum, minLength, maxLength, minItems, maxItems, pattern, default: usual }) {
  const range = (least, most, unit) => {
    if (most === undefined) return least ? [`at least ${least}${unit}`] : [];
    return [least ? `${least}–${most}${unit}` : `at most ${most}${unit}`];
  };
  const told = [...range(minimum, maximum, ""), ...range(minLength, maxLength, " characters"), ...range(minItems, maxItems, " entries")];
  const words = told.map((text) => `, ${text}`);
  if (pattern) words.push(", ", code(pattern));
  if (usual !== undefined) words.push(`, else ${usual}`);
  return words;
}

/** A table of an object's fields; what is no object is a line. */
export function shapeOf(document, schema) {
  const parts = schema.allOf ?? [schema];
  const fields = parts.flatMap((part) => fieldsOf(document, part));
  if (fields.length === 0) return make("p", {}, ...typeOf(schema));
  const rows = fields.map(([name, field, required]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, code(name), ...(required ? [] : [make("span", { class: "optional" }, "optional")])),
      make("td", {}, make("span", { class: "type" }, ...typeOf(field)), ...described(document, field)),
    ),
  );
  const head = make("tr", {}, make("th", { scope: "col" }, "Field"), make("th", { scope: "col" }, "What it is"));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

function fieldsOf(document, schema) {
  if (schema.$ref) return fieldsOf(document, follow(document, schema));
  if (schema.allOf) return schema.allOf.flatMap((part) => fieldsOf(document, part));
  return Object.entries(schema.properties ?? {}).map(([name, field]) => [name, field, schema.required?.includes(name)]);
}

const described = (document, field) => {
  const inner = field.oneOf?.find((one) => one.description);
  const text = field.description ?? inner?.description ?? (field.$ref && follow(document, field).description);
  return text ? [make("span", {}, ...prose(text.split("\n\n")[0]))] : [];
};

const isList = (block) => block.startsWith("- ");

/** Whether a text goes through all words one by one. */
export const tellsEach = (text) => text?.split("\n\n").some(isList) ?? false;

/** A text of several paragraphs and lists, as elements. */
export const paragraphs = (text) =>
  text.split("\n\n").map((block) => {
    if (!isList(block)) return make("p", {}, ...prose(block));
    return make("ul", {}, ...block.slice(2).split("\n- ").map((entry) => make("li", {}, ...prose(entry))));
  });

/** Text with `code` in it, as elements. */
export const prose = (text) => text.split("`").map((part, index) => (index % 2 === 1 ? code(part) : part));
