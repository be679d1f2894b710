// JSON schemas in words for people: what a value is, which fields an object has, and an example of one.

let components = {};

export function know(schemas) {
  components = schemas;
}

export function resolved(schema) {
  return schema.$ref ? components[schema.$ref.split("/").pop()] : schema;
}

function range(low, high, unit) {
  if (low == null && high == null) return "";
  if (high == null) return `, from ${low}${unit}`;
  if (low == null) return `, up to ${high}${unit}`;
  return `, ${low} to ${high}${unit}`;
}

// Such as "text, 1 to 255 characters", "whole number, from 1", "list of text".
export function words(schema) {
  if (schema.$ref) return words(resolved(schema));
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if ("const" in schema) return JSON.stringify(schema.const);
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return several.map(words).join(", or ");
  switch (schema.type) {
    case "array": return `list of ${words(schema.items ?? {})}`;
    case "string": return `${{ "date-time": "time", uuid: "UUID" }[schema.format] ?? schema.format ?? "text"}${range(schema.minLength, schema.maxLength, " characters")}`;
    case "integer": return `whole number${range(schema.minimum, schema.maximum, "")}`;
    case "number": return `number${range(schema.minimum ?? schema.exclusiveMinimum, schema.maximum, "")}`;
    case "boolean": return "true or false";
    case "null": return "null";
    case "object": return schema.additionalProperties?.type || schema.additionalProperties?.$ref ? `object of ${words(schema.additionalProperties)} by name` : "object";
    default: return "any value";
  }
}

const plain = (text) => text.replaceAll("``", "").replace(/\s+/g, " ").trim();

// A description tells of the whole first, and then of its fields by name.
function notes(description = "") {
  const fields = {};
  let name = null;
  for (const line of (description.split("Attributes:\n")[1] ?? "").split("\n")) {
    const begun = /^ {4}(\w+): (.*)$/.exec(line);
    if (begun) [, name, fields[name]] = begun;
    else if (name) fields[name] += ` ${line}`;
  }
  return fields;
}

export const summaryOf = ({ description = "" }) => plain(description.split("Attributes:\n")[0]);

function note(part, told) {
  const inner = (part.anyOf ?? [part]).map((one) => (one.$ref ? "" : one.description)).find(Boolean);
  return plain(told ?? part.description ?? inner ?? "");
}

// All fields, those of the objects within it below their own names.
export function fields(schema, prefix = "", depth = 0) {
  const whole = resolved(schema);
  if (whole.type === "array") return fields(whole.items ?? {}, `${prefix}[].`, depth);
  const told = notes(whole.description);
  const needed = new Set(whole.required ?? []);
  return Object.entries(whole.properties ?? {}).flatMap(([name, part]) => {
    const own = [{ name: prefix + name, what: words(part), isNeeded: needed.has(name), usual: part.default, note: note(part, told[name]) }];
    const inner = (part.anyOf ?? [part]).find((one) => resolved(one).properties || resolved(resolved(one).items ?? {}).properties);
    if (!inner || depth > 2) return own;
    const isList = resolved(inner).type === "array";
    return own.concat(fields(isList ? resolved(inner).items : inner, `${prefix}${name}${isList ? "[]" : ""}.`, depth + 1));
  });
}

// The least that can be sent, with the names of the fields where a person has to write something.
export function example(schema, name = "") {
  const whole = resolved(schema);
  if (whole.default != null) return whole.default;
  if (whole.enum) return whole.enum[0];
  if (whole.anyOf) return example(whole.anyOf[0], name);
  switch (whole.type) {
    case "array": return [example(whole.items ?? {}, name)];
    case "string": return { "date-time": new Date().toISOString(), uuid: crypto.randomUUID?.() ?? "00000000-0000-4000-8000-000000000000" }[whole.format] ?? `my-${name.replaceAll("_", "-")}`;
    case "integer": case "number": return whole.minimum ?? 1;
    case "boolean": return true;
    case "object": return Object.fromEntries(Object.entries(whole.properties ?? {})
      .filter(([key]) => whole.required?.includes(key)).map(([key, part]) => [key, example(part, key)]));
    default: return null;
  }
}
