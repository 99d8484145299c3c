// The strict subset of CBOR: heads (section 9.1), and the meta of frames (section 8.4).

import { protocol, tooLarge } from "./errors.mjs";

export const UINT = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, SIMPLE = 7;
export const FALSE = 20, TRUE = 21, NULL = 22, FLOAT64 = 27;
export const MAX_INLINE = 65536;
export const MAX_UINT63 = 2n ** 63n - 1n;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function decodeText(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    throw protocol("text is not valid UTF-8");
  }
}

export function head(major, argument) {
  const number = BigInt(argument);
  if (number < 24n) return Buffer.of((major << 5) | Number(number));
  const info = number < 0x100n ? 24 : number < 0x10000n ? 25 : number < 0x100000000n ? 26 : 27;
  const bytes = Buffer.alloc(9);
  bytes[0] = (major << 5) | info;
  const size = 1 << (info - 24);
  bytes.writeBigUInt64BE(number << BigInt(64 - 8 * size), 1);
  return bytes.subarray(0, 1 + size);
}

export const simple = (info) => Buffer.of((SIMPLE << 5) | info);
export const integer = (number) => (number < 0n ? head(NEGATIVE, -1n - number) : head(UINT, number));
export const byteString = (bytes) => Buffer.concat([head(BYTES, bytes.length), bytes]);

export function text(string) {
  const bytes = Buffer.from(string, "utf-8");
  return Buffer.concat([head(TEXT, bytes.length), bytes]);
}

/** Reads heads and strings from a ByteQueue. Each method returns null while bytes are missing. */
export class TokenReader {
  constructor(queue, { maxInline = MAX_INLINE, tags = [], floats = false } = {}) {
    Object.assign(this, { queue, maxInline, tags: new Set(tags), floats });
  }

  head() {
    const first = this.queue.peek(0);
    if (first === undefined) return null;
    const major = first >> 5;
    const info = first & 31;
    if (info > 27) throw protocol("a head with additional information 28 to 31");
    if (major === SIMPLE && !(info >= FALSE && info <= NULL) && !(this.floats && info === FLOAT64)) {
      throw protocol("a simple value or float that is not in the grammar");
    }
    const bytes = this.queue.take(info < 24 ? 1 : 1 + (1 << (info - 24)));
    if (bytes === null) return null;
    const argument = info < 24 ? BigInt(info) : BigInt("0x" + bytes.toString("hex", 1));
    if (major !== SIMPLE) this.#check(major, info, argument);
    return { major, info, argument };
  }

  #check(major, info, argument) {
    if (info >= 24 && argument < (info === 24 ? 24n : 1n << BigInt(8 << (info - 25)))) {
      throw protocol("a head that is longer than needed");
    }
    if (major === TAG && !this.tags.has(argument)) throw protocol(`tag ${argument}`);
    if ((major === BYTES || major === TEXT) && argument > BigInt(this.maxInline)) {
      throw tooLarge(`an inline string of ${argument} bytes`);
    }
  }

  string(length) {
    return this.queue.take(Number(length));
  }
}

// ---- meta: Map with BigInt keys; values are BigInt, Buffer, string, boolean, null, Array and Map ----

const META_DEPTH = 4;

export function encodeMeta(value) {
  if (typeof value === "bigint") return integer(value);
  if (typeof value === "string") return text(value);
  if (typeof value === "boolean") return simple(value ? TRUE : FALSE);
  if (value === null) return simple(NULL);
  if (value instanceof Uint8Array) return byteString(value);
  if (Array.isArray(value)) return Buffer.concat([head(ARRAY, value.length), ...value.map(encodeMeta)]);
  if (value instanceof Map) return Buffer.concat([head(MAP, value.size), ...[...value].flat(1).map(encodeMeta)]);
  throw new TypeError(`${typeof value} is no value of meta`);
}

export function decodeMeta(bytes) {
  const map = new MetaParser(bytes).whole();
  if (!(map instanceof Map)) throw protocol("meta is not a map");
  return map;
}

class MetaParser {
  constructor(bytes) {
    this.offset = 0;
    this.bytes = bytes;
    const queue = { peek: () => bytes[this.offset], take: (count) => this.take(count) };
    this.tokens = new TokenReader(queue, { maxInline: bytes.length });
  }

  take(count) {
    if (this.offset + count > this.bytes.length) throw protocol("meta ends inside an item");
    return this.bytes.subarray(this.offset, (this.offset += count));
  }

  whole() {
    const value = this.value(0);
    if (this.offset !== this.bytes.length) throw protocol("bytes after the map of meta");
    return value;
  }

  value(depth) {
    if (depth > META_DEPTH) throw protocol("meta is nested too deep");
    const token = this.#head();
    const { major, info, argument } = token;
    if (major === UINT) return argument;
    if (major === NEGATIVE) return -1n - argument;
    if (major === BYTES) return this.take(Number(argument));
    if (major === TEXT) return decodeText(this.take(Number(argument)));
    if (major === SIMPLE) return info === NULL ? null : info === TRUE;
    const items = Number(argument) * (major === MAP ? 2 : 1);
    if (items > this.bytes.length - this.offset) throw protocol("meta ends inside an item");
    return major === ARRAY ? Array.from({ length: items }, () => this.value(depth + 1)) : this.#map(argument, depth);
  }

  #head() {
    try {
      const token = this.tokens.head();
      if (token !== null) return token;
    } catch (fault) {
      throw protocol(fault.message);
    }
    throw protocol("meta ends inside an item");
  }

  #map(size, depth) {
    const map = new Map();
    for (let index = 0n; index < size; index++) {
      const key = this.value(depth + 1);
      const allowed = (typeof key === "bigint" && key >= 0n) || (depth > 0 && typeof key === "string");
      if (!allowed) throw protocol("a key of meta that is not in the grammar");
      if (map.has(key)) throw protocol("a key of meta occurs twice");
      map.set(key, this.value(depth + 1));
    }
    return map;
  }
}
