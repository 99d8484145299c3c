// Dicts and sets: their keys and elements are found by value, as section 4.1 defines equality.

import { KEY, keyOf, listKey } from "./keys.mjs";

/** Entries by key, in the order of insertion. Keys that are equal by section 4.1 are one key. */
export class Dict {
  #entries = new Map();

  constructor(entries = []) {
    for (const [key, value] of entries) if (!this.add(key, value)) throw new RangeError("two equal keys");
  }

  /** False, and nothing done, if the key is there. */
  add(key, value) {
    const id = keyOf(key);
    if (this.#entries.has(id)) return false;
    this.#entries.set(id, [key, value]);
    return true;
  }

  has(key) {
    return this.#entries.has(keyOf(key));
  }

  get(key) {
    return this.#entries.get(keyOf(key))?.[1];
  }

  set(key, value) {
    this.#entries.set(keyOf(key), [key, value]);
  }

  delete(key) {
    return this.#entries.delete(keyOf(key));
  }

  get size() {
    return this.#entries.size;
  }

  [Symbol.iterator]() {
    return this.#entries.values();
  }
}

class Elements {
  #elements = new Map();

  constructor(elements = []) {
    for (const element of elements) if (!this.add(element)) throw new RangeError("two equal elements");
  }

  /** False, and nothing done, if the element is there. */
  add(element) {
    const id = keyOf(element);
    if (this.#elements.has(id)) return false;
    this.#elements.set(id, element);
    return true;
  }

  has(element) {
    return this.#elements.has(keyOf(element));
  }

  /** The keys of the elements, as `keyOf` gives them. */
  keys() {
    return [...this.#elements.keys()];
  }

  get size() {
    return this.#elements.size;
  }

  [Symbol.iterator]() {
    return this.#elements.values();
  }
}

export class SetValue extends Elements {}
export class FrozenSet extends Elements {
  [KEY]() {
    return listKey("f", this.keys().sort());
  }
}
