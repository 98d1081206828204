// Answers queries with mingo. Reads batches, one line of JSON each: {"documents": […], "queries": […]};
// writes one line for each query: {"ids": …}, {"documents": …}, {"values": …}, {"count": …} or
// {"refused": reason}. It owns the translation between JSON and what mingo takes, and corrects
// nothing: where mingo is wrong, the reader has to know.

import { createInterface } from "node:readline";
import { aggregate, ProcessingMode, Query, update } from "mingo";

const SAFE = 2 ** 53;

// Mingo compares and hashes what it does not know by its text and by the name of its class.
class ObjectId {
  #hex;

  constructor(hex) {
    this.#hex = hex;
  }

  toString() {
    return this.#hex;
  }
}

// Bytes behind their subtype, so that their order is that of subtypes first.
class Binary extends Uint8Array {}

// Extended JSON becomes what it stands for; a sort as a list becomes an object with an order.
function revive(value, name) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const list = value.map((item) => revive(item));
    return name === "$sort" && list.every((item) => item !== null && typeof item === "object")
      ? Object.assign({}, ...list)
      : list;
  }
  const names = Object.keys(value);
  if (names.length === 1) {
    switch (names[0]) {
      case "$date":
        return new Date(value.$date);
      case "$numberDouble":
        return Number(value.$numberDouble);
      case "$numberDecimal":
        // No decimal is asked about that is not exactly a float.
        return Number(value.$numberDecimal);
      case "$oid":
        return new ObjectId(value.$oid);
      case "$binary": {
        const { base64, subType } = value.$binary;
        return new Binary([parseInt(subType, 16), ...Buffer.from(base64, "base64")]);
      }
    }
  }
  const object = {};
  for (const field of names) object[field] = revive(value[field], field);
  return object;
}

// The other way round.
function encode(value) {
  if (typeof value === "number") {
    if (Number.isFinite(value) && Math.abs(value) <= SAFE) return value;
    return { $numberDouble: String(value) };
  }
  if (value === undefined || value === null) return null;
  if (typeof value !== "object") return value;
  if (value instanceof Date) {
    const time = value.getTime();
    return Number.isNaN(time) ? "an invalid time" : { $date: time };
  }
  if (value instanceof ObjectId) return { $oid: String(value) };
  if (value instanceof Binary) {
    const subType = value[0].toString(16).padStart(2, "0");
    return { $binary: { base64: Buffer.from(value.subarray(1)).toString("base64"), subType } };
  }
  if (Array.isArray(value)) return Array.from(value, encode);
  const object = {};
  for (const name of Object.keys(value)) {
    if (value[name] !== undefined) object[name] = encode(value[name]);
  }
  return object;
}

// A copy whose fields and elements can be changed.
function copy(value) {
  if (Array.isArray(value)) return value.map(copy);
  if (value === null || value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copy(inner)]));
}

function find(documents, query) {
  const projected = query.projection !== undefined;
  const options = { processingMode: projected ? ProcessingMode.CLONE_INPUT : ProcessingMode.CLONE_OFF };
  const cursor = new Query(query.filter, options).find(documents, query.projection);
  if (query.sort !== undefined) cursor.sort(Object.assign({}, ...query.sort));
  if (query.skip !== undefined) cursor.skip(query.skip);
  if (query.limit !== undefined) cursor.limit(query.limit);
  const found = cursor.all();
  return projected ? { documents: found.map(encode) } : { ids: found.map((it) => encode(it._id)) };
}

// Mingo has no distinct. A group has, once every array on the way is unwound; what is missing then
// would be null.
function distinct(documents, query) {
  const names = query.path.split(".");
  const pipeline = [{ $match: query.filter }];
  for (let length = 1; length <= names.length; length++) {
    if (/^\d+$/.test(names[length] ?? "")) continue;
    const path = names.slice(0, length).join(".");
    pipeline.push({ $match: { [path]: { $exists: true } } });
    pipeline.push({ $unwind: { path: `$${path}`, preserveNullAndEmptyArrays: true } });
    pipeline.push({ $match: { [path]: { $exists: true } } });
  }
  pipeline.push({ $group: { _id: `$${query.path}` } });
  return { values: run(documents, pipeline).map((it) => encode(it._id)) };
}

function run(documents, pipeline) {
  return aggregate(documents, pipeline, {
    processingMode: ProcessingMode.CLONE_INPUT,
    collectionResolver: () => documents,
  });
}

function updated(documents, query) {
  const document = copy(documents[query.document]);
  // Several are applied one after the other.
  for (const one of [query.update].flat()) update(document, one);
  return { documents: [encode(document)] };
}

function answer(documents, query) {
  switch (query.kind) {
    case "find":
      return find(documents, query);
    case "count":
      return { count: new Query(query.filter).find(documents).all().length };
    case "distinct":
      return distinct(documents, query);
    case "update":
      return updated(documents, query);
    case "aggregate":
      return { documents: run(documents, query.pipeline).map(encode) };
    default:
      throw new Error(`there is no kind of query ${query.kind}`);
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { documents, queries } = revive(JSON.parse(line));
  const lines = queries.map((query) => {
    try {
      return JSON.stringify(answer(documents, query));
    } catch (error) {
      return JSON.stringify({ refused: String(error.message) });
    }
  });
  if (!process.stdout.write(`${lines.join("\n")}\n`)) {
    await new Promise((resume) => process.stdout.once("drain", resume));
  }
}
