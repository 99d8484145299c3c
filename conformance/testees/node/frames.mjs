// Preface, headers and meta of frames (chapter 8), and a reader that makes checks 1 to 13 of section 14.3 in order.

import { crc32 } from "node:zlib";
import { ByteQueue } from "./bytes.mjs";
import { decodeMeta, encodeMeta, MAX_UINT63 } from "./cbor.mjs";
import { Fault, protocol, tooLarge } from "./errors.mjs";

export const PREFACE = Buffer.from("894f53500d0a1a0a", "hex");
export const OFFER = 1, REQUEST = 2, OPEN = 3, ENTRIES = 4, DATA = 5, END = 6, DONE = 7, CREDIT = 8, RESET = 9;
export const NAMES = [, "OFFER", "REQUEST", "OPEN", "ENTRIES", "DATA", "END", "DONE", "CREDIT", "RESET"];
const IGNORABLE = 1;
const HEADER = 24;
const MAX_META = 4096; // what every reader takes (section 15.2)

export const isContent = (type) => type === ENTRIES || type === DATA;
const isKnown = (type) => type >= OFFER && type <= RESET;

// ---- keys of meta ----

export const VERSIONS = 0n, DIGESTS = 1n, NAME = 2n, KIND = 3n, SIZE = 4n, COUNT = 5n, MAX_BYTES = 6n, CREDIT_TO = 7n,
  MAX_FRAME = 8n, RESUME = 9n, VALIDATOR = 10n, DIGEST = 11n, CHAIN = 12n, CODE = 13n, MESSAGE = 14n, ATTRIBUTES = 15n;

const uint = (value) => typeof value === "bigint" && value >= 0n && value <= MAX_UINT63;
const positive = (value) => uint(value) && value > 0n;
const text = (value) => typeof value === "string";
const bytes = (value) => value instanceof Uint8Array;
const chain = (value) => bytes(value) && value.length === 32;
const some = (type) => (value) => Array.isArray(value) && value.length > 0 && value.every(type);
const attributes = (value) => value instanceof Map && [...value.keys()].every(text);
const point = (value) =>
  Array.isArray(value) && value.length === 3 && uint(value[0]) && uint(value[1]) && chain(value[2]);

const SCHEMA = {
  [OFFER]: { required: [[NAME, text], [KIND, text]], optional: [[SIZE, uint], [COUNT, uint], [ATTRIBUTES, attributes]] },
  [REQUEST]: {
    required: [[VERSIONS, some(uint)], [DIGESTS, some(text)], [NAME, text], [KIND, text], [MAX_BYTES, uint],
      [CREDIT_TO, uint], [MAX_FRAME, positive]],
    optional: [[RESUME, point], [VALIDATOR, bytes]],
  },
  [OPEN]: {
    required: [[VERSIONS, uint], [DIGESTS, text], [KIND, text]],
    optional: [[SIZE, uint], [COUNT, uint], [RESUME, point], [VALIDATOR, bytes], [ATTRIBUTES, attributes]],
  },
  [ENTRIES]: { required: [], optional: [[DIGEST, bytes]] },
  [DATA]: { required: [], optional: [[DIGEST, bytes]] },
  [END]: { required: [[SIZE, uint], [COUNT, uint], [CHAIN, chain]], optional: [] },
  [DONE]: { required: [[CHAIN, chain]], optional: [] },
  [CREDIT]: { required: [[CREDIT_TO, uint]], optional: [] },
  [RESET]: { required: [[CODE, uint], [MESSAGE, text]], optional: [] },
};

function readMeta(type, encoded) {
  const meta = decodeMeta(encoded);
  const { required, optional } = SCHEMA[type];
  for (const [key] of required) {
    if (!meta.has(key)) throw protocol(`${NAMES[type]} without key ${key}`);
  }
  for (const [key, valid] of [...required, ...optional]) {
    if (meta.has(key) && !valid(meta.get(key))) throw protocol(`key ${key} of ${NAMES[type]} has no valid value`);
  }
  return meta;
}

// ---- writing ----

/** One frame; `meta` is an object of keys and values, in ascending order of keys as objects of integer keys are. */
export function encodeFrame(type, seq, meta, data = Buffer.alloc(0), flags = 0) {
  const fields = Object.entries(meta).filter(([, value]) => value !== undefined);
  const encoded = encodeMeta(new Map(fields.map(([key, value]) => [BigInt(key), value])));
  if (encoded.length > MAX_META) throw tooLarge(`${encoded.length} bytes of meta`);
  const header = Buffer.alloc(HEADER);
  header[0] = type;
  header[1] = flags;
  header.writeUInt16BE(encoded.length, 2);
  header.writeUInt32BE(data.length, 4);
  header.writeBigUInt64BE(seq, 8);
  header.writeUInt32BE(crc32(encoded), 16);
  header.writeUInt32BE(crc32(header.subarray(0, 20)), 20);
  return Buffer.concat([header, encoded, data]);
}

// ---- reading ----

/**
 * Takes bytes cut anywhere and gives steps, in the order in which they can be known:
 * `{step: "frame", type, meta, length}` when header and meta are there, then `{step: "part", length}` for portions of
 * data, then `{step: "data", type, meta, data}`; for a skipped frame parts only, then `{step: "skipped"}`.
 */
export class FrameReader {
  #queue = new ByteQueue();
  #steps = this.#run();
  #expected = 0n;
  #skipped = 0;
  /** Whether the peer has said anything that can be answered: a header, or something in place of the preface. */
  heard = false;

  constructor({ maxMeta, maxFrame, maxSkipped }) {
    this.limits = { maxMeta, maxFrame, maxSkipped };
  }

  push(data) {
    this.#queue.push(data);
  }

  /** The next step, or null while bytes are missing. */
  next() {
    return this.#steps.next().value ?? null;
  }

  /** All bytes that no step has taken. */
  rest() {
    return this.#queue.take(this.#queue.length);
  }

  *#take(count) {
    for (;;) {
      const taken = this.#queue.take(count);
      if (taken !== null) return taken;
      yield null;
    }
  }

  *#run() {
    const preface = yield* this.#take(PREFACE.length);
    this.heard = !preface.equals(PREFACE);
    if (this.heard) throw protocol("the preface is not that of this protocol");
    for (;;) {
      const header = this.#header(yield* this.#take(HEADER));
      const { type, length } = header;
      const encoded = yield* this.#take(header.metaLength);
      if (crc32(encoded) !== header.metaCrc) throw new Fault("CORRUPT", "meta does not match its CRC");
      if (!isKnown(type)) {
        if (++this.#skipped > this.limits.maxSkipped) throw tooLarge("too many skipped frames");
        yield* this.#data(length, false);
        yield { step: "skipped" };
        continue;
      }
      const meta = readMeta(type, encoded);
      yield { step: "frame", type, meta, length };
      if (length > 0) yield { step: "data", type, meta, data: yield* this.#data(length, true) };
    }
  }

  *#data(length, keep) {
    const parts = [];
    for (let left = length; left > 0; ) {
      const part = this.#queue.some(left);
      if (part.length === 0) {
        yield null;
        continue;
      }
      left -= part.length;
      if (keep) parts.push(part);
      yield { step: "part", length: part.length };
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  #header(header) {
    this.heard = true;
    if (crc32(header.subarray(0, 20)) !== header.readUInt32BE(20)) throw new Fault("CORRUPT", "a damaged header");
    const [type, flags] = header;
    const metaLength = header.readUInt16BE(2);
    const length = header.readUInt32BE(4);
    if (flags & ~IGNORABLE) throw protocol("an undefined flag");
    if (!isKnown(type) && !(flags & IGNORABLE)) throw protocol(`a frame of unknown type ${type}`);
    if (isKnown(type) && flags & IGNORABLE) throw protocol(`${NAMES[type]} marked as ignorable`);
    if (header.readBigUInt64BE(8) !== this.#expected) throw protocol("a frame out of sequence");
    this.#expected += 1n;
    if (metaLength > this.limits.maxMeta) throw tooLarge(`${metaLength} bytes of meta`);
    if (length > this.limits.maxFrame) throw tooLarge(`a frame with ${length} bytes of data`);
    if (isKnown(type) && isContent(type) !== length > 0) throw protocol(`${NAMES[type]} with ${length} bytes of data`);
    return { type, metaLength, length, metaCrc: header.readUInt32BE(16) };
  }
}
