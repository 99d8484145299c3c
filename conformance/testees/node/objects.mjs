// What a session carries (chapter 2, "kind"): containers, files, and what applications agree on.

import { Dict, FrozenSet, SetValue } from "./containers.mjs";
import { Tuple } from "./values.mjs";

export class File {
  constructor(bytes) {
    this.bytes = bytes;
  }
}

/** An object of an application kind `x-NAME`. */
export class Application {
  constructor(kind, entries) {
    if (!isApplicationKind(kind)) throw new RangeError("no application kind");
    Object.assign(this, { kind, entries });
  }
}

export const CONTAINERS = ["dict", "list", "tuple", "set", "frozenset"];
export const isApplicationKind = (kind) => /^x-[a-z0-9.-]{1,64}$/.test(kind);
export const isKind = (kind) => CONTAINERS.includes(kind) || kind === "file" || isApplicationKind(kind);

const KINDS = new Map([[Dict, "dict"], [Array, "list"], [Tuple, "tuple"], [SetValue, "set"], [FrozenSet, "frozenset"],
  [File, "file"]]);

/** The kind of an object, or undefined for what cannot be streamed. */
export const kindOf = (object) =>
  object instanceof Application ? object.kind : KINDS.get(object === null ? null : object?.constructor);

/** An object of that kind without entries, to be filled; not for files. */
export function emptyObject(kind) {
  switch (kind) {
    case "dict": return new Dict();
    case "list": return [];
    case "tuple": return new Tuple([]);
    case "set": return new SetValue();
    case "frozenset": return new FrozenSet();
    default: return new Application(kind, []);
  }
}

/** The entries of a list, a tuple or an application's object, as an array. */
export const itemsOf = (object) => (Array.isArray(object) ? object : object.items ?? object.entries);

/** The entries of an object, counted as in END; 0 for a file. */
export function countOf(object) {
  if (object instanceof File) return 0n;
  return BigInt(object instanceof Dict || object instanceof SetValue || object instanceof FrozenSet
    ? object.size
    : itemsOf(object).length);
}
