// The API for people, drawn from the same description that programs read.

import { element, show } from "./dom.js";

const METHODS = ["get", "post", "patch", "delete"];

let components = {};

function resolved(schema) {
  return schema.$ref ? components[schema.$ref.split("/").pop()] : schema;
}

// What a value is, in a few words: "text, 1 to 255 characters", "whole number from 1", "list of text".
function words(schema) {
  if (schema.$ref) return words(resolved(schema));
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.anyOf) return schema.anyOf.map(words).join(", or ");
  switch (schema.type) {
    case "array": return `list of ${words(schema.items ?? {})}`;
    case "string": return `${schema.format === "date-time" ? "time" : schema.format ?? "text"}${range(schema.minLength, schema.maxLength, " characters")}`;
    case "integer": return `whole number${range(schema.minimum, schema.maximum, "")}`;
    case "number": return `number${range(schema.minimum, schema.maximum, "")}`;
    case "boolean": return "true or false";
    case "null": return "null";
    case "object": return schema.title ? `object (${schema.title})` : "object";
    default: return "anything";
  }
}

function range(low, high, unit) {
  if (low == null && high == null) return "";
  if (high == null) return `, from ${low}${unit}`;
  if (low == null) return `, up to ${high}${unit}`;
  return `, ${low} to ${high}${unit}`;
}

function table(caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  return element("div", { class: "scroll" },
    element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body)));
}

// The fields of an object, those of the objects within it below their own names.
function fields(schema, prefix = "", depth = 0) {
  const whole = resolved(schema);
  if (whole.type === "array") return fields(whole.items ?? {}, `${prefix}[].`, depth);
  const needed = new Set(whole.required ?? []);
  return Object.entries(whole.properties ?? {}).flatMap(([name, part]) => {
    const own = [[element("code", {}, prefix + name), words(part), needed.has(name) ? "always" : "", resolved(part).description ?? ""]];
    const inner = (part.anyOf ?? [part]).find((one) => resolved(one).properties || resolved(resolved(one).items ?? {}).properties);
    if (!inner || depth > 2) return own;
    const isList = resolved(inner).type === "array";
    return own.concat(fields(isList ? resolved(inner).items : inner, `${prefix}${name}${isList ? "[]" : ""}.`, depth + 1));
  });
}

function example(method, path, operation) {
  const parts = [`curl -H "Authorization: Bearer $TOKEN"`];
  if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  if (operation.parameters.some((one) => one.name === "Idempotency-Key")) parts.push(`-H "Idempotency-Key: $(uuidgen)"`);
  if (operation.requestBody) parts.push(`-H "Content-Type: application/json" -d @body.json`);
  return `${parts.join(" ")} "$HOMEIQ${path}"`;
}

function request(path, method, operation) {
  const parts = [element("p", {}, operation.description)];
  const parameters = operation.parameters.map((one) => [
    element("code", {}, one.name), words(one.schema), one.required ? "always" : "", one.description ?? { path: "in the address", query: "" }[one.in] ?? "",
  ]);
  if (parameters.length) parts.push(table("Parameters", ["Name", "What it is", "Needed", ""], parameters));
  if (operation.requestBody) {
    parts.push(table("Body", ["Field", "What it is", "Needed", ""], fields(operation.requestBody.content["application/json"].schema)));
  }
  for (const [status, answer] of Object.entries(operation.responses)) {
    const shape = answer.content?.["application/json"]?.schema;
    if (shape) parts.push(table(`Answer ${status}`, ["Field", "What it is", "Given", ""], fields(shape)));
  }
  const others = Object.entries(operation.responses).filter(([status]) => status >= "400").map(([status, answer]) => [status, answer.description]);
  parts.push(table("Problems", ["Status", "When"], others));
  parts.push(element("pre", {}, element("code", {}, example(method, path, operation))));
  const summary = element("summary", {}, element("code", {}, `${method.toUpperCase()} ${path}`), ` ${operation.summary}`);
  return element("details", {}, summary, ...parts);
}

function noun(tag, description) {
  const requests = Object.entries(description.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]?.tags.includes(tag)).map((method) => request(path, method, methods[method])));
  const id = `noun-${tag.replaceAll(" ", "-")}`;
  return element("section", { class: "wide", id, "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, tag), ...requests);
}

async function begin() {
  try {
    const answer = await fetch("tenant/v1/openapi.json", { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    const description = await answer.json();
    components = description.components.schemas;
    const tags = description.tags.map((tag) => tag.name);
    show("about", `Version ${description.info.version}. ${description.info.description}`);
    show("nouns", ...tags.map((tag) => element("a", { href: `#noun-${tag.replaceAll(" ", "-")}` }, tag)));
    document.getElementById("api").append(...tags.map((tag) => noun(tag, description)));
  } catch (err) {
    show("about", element("span", { class: "warn", role: "alert" }, `The description cannot be read: ${err.message}`));
  }
}

begin();
