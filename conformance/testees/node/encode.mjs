// Turns objects into content (chapters 8.5 and 9): skeleton bytes and buffers, as they are needed.

import * as cbor from "./cbor.mjs";
import { Dict, FrozenSet, SetValue } from "./containers.mjs";
import { Fault } from "./errors.mjs";
import { DATA, ENTRIES } from "./frames.mjs";
import { File, itemsOf } from "./objects.mjs";
import * as values from "./values.mjs";

const VALUE = "a value", ELEMENT = "an element of a set", KEY = "a key";
const KEY_TYPES = new Set([values.Float, values.Tuple, FrozenSet]);
const ELEMENT_TYPES = new Set([...KEY_TYPES, values.Complex, values.DateTime, values.DateValue, values.Time,
  values.TimeDelta, values.Decimal, values.UUID, values.Scalar]);

/** `types` are the names of the application types that are registered. */
export const LIMITS = { maxItems: 2 ** 28, maxDepth: 128, inline: 1024, types: { has: () => true } };

const entry = (bytes) => ({ type: ENTRIES, bytes });
const refusal = (path, what) => new Fault("UNSUPPORTED", `${path}: ${what}`);

function label(key) {
  if (typeof key === "string") return `[${JSON.stringify(key)}]`;
  if (key === null || typeof key === "boolean" || typeof key === "bigint") return `[${key}]`;
  return `[${key?.constructor?.name ?? typeof key}]`;
}

/** Pieces `{type, bytes}` of an object: ENTRIES for skeleton bytes, DATA for exactly one buffer each. */
export function* content(object, path, limits = LIMITS) {
  if (object instanceof File) {
    if (object.bytes.length > 0) yield { type: DATA, bytes: object.bytes };
    return;
  }
  yield* new Encoder(limits, path).entries(object, path);
}

class Encoder {
  #items = 0;
  #around = new Set();

  constructor(limits) {
    this.limits = limits;
  }

  *entries(object, path) {
    this.#around.add(object);
    if (object instanceof Dict) {
      for (const [key, value] of object) {
        yield* this.#entry(key, KEY, path + label(key));
        yield* this.#entry(value, VALUE, path + label(key));
      }
    } else if (object instanceof SetValue || object instanceof FrozenSet) {
      for (const element of object) yield* this.#entry(element, ELEMENT, `${path}{…}`);
    } else {
      let index = 0;
      for (const value of itemsOf(object)) yield* this.#entry(value, VALUE, `${path}[${index++}]`);
    }
  }

  *#entry(value, context, path) {
    this.#count(1, path);
    yield* this.#item(value, context, 0, path);
  }

  #count(number, path) {
    this.#items += number;
    if (this.#items > this.limits.maxItems) throw new Fault("TOO_LARGE", `${path}: more items than the limit`);
  }

  *#item(value, context, depth, path) {
    const plain = scalar(value);
    if (plain !== undefined) {
      yield entry(plain);
      return;
    }
    if (typeof value === "string") {
      if (!value.isWellFormed()) throw refusal(path, "a text with a lone surrogate");
      yield* this.#string("str", cbor.TEXT, Buffer.from(value, "utf-8"), cbor.MAX_INLINE);
      return;
    }
    if (typeof value === "bigint") {
      yield entry(bignum(value, path));
      return;
    }
    if (value instanceof Uint8Array && (value.constructor === Buffer || value.constructor === Uint8Array)) {
      yield* this.#string("bytes", cbor.BYTES, value, cbor.MAX_INLINE);
      return;
    }
    const type = Object(value) === value ? value.constructor : undefined;
    const write = WRITERS.get(type);
    if (write === undefined) throw refusal(path, `a value of type ${type?.name ?? typeof value}`);
    const allowed = { [KEY]: KEY_TYPES, [ELEMENT]: ELEMENT_TYPES, [VALUE]: WRITERS }[context];
    if (!allowed.has(type)) throw refusal(path, `a ${type.name} cannot be ${context}`);
    yield* write.call(this, value, context, depth, path);
  }

  *#string(name, major, bytes, inline) {
    if (bytes.length <= inline) yield entry(Buffer.concat([cbor.head(major, bytes.length), bytes]));
    else yield* this.#extension(name, cbor.head(cbor.UINT, bytes.length), bytes);
  }

  /** An extension of encoded arguments, the last of which may be followed by a buffer. */
  *#extension(name, encoded, buffer = null) {
    yield entry(Buffer.concat([cbor.head(cbor.TAG, 27), cbor.head(cbor.ARRAY, ARITY[name] + 1), cbor.text(name), encoded]));
    if (buffer !== null) yield { type: DATA, bytes: buffer };
  }

  /** An extension whose last argument is a byte string or a buffer. */
  *#bytes(name, encoded, bytes) {
    const inline = bytes.length <= this.limits.inline;
    const last = inline ? cbor.byteString(bytes) : cbor.head(cbor.UINT, bytes.length);
    yield* this.#extension(name, Buffer.concat([encoded, last]), inline ? null : bytes);
  }

  *#nested(value, depth, items, head, path, inside) {
    if (this.#around.has(value)) throw refusal(path, "a container that contains itself");
    if (depth > this.limits.maxDepth) throw new Fault("TOO_LARGE", `${path}: nested deeper than the limit`);
    this.#count(items, path);
    this.#around.add(value);
    yield entry(head);
    yield* inside();
    this.#around.delete(value);
  }

  *#sequence(value, items, context, depth, path, head) {
    const encoder = this;
    yield* this.#nested(value, depth, items.length, head, path, function* () {
      for (let index = 0; index < items.length; index++) {
        yield* encoder.#item(items[index], context, depth, `${path}[${index}]`);
      }
    });
  }

  *#elements(value, context, depth, path, head) {
    const encoder = this;
    yield* this.#nested(value, depth, value.size, head, path, function* () {
      for (const element of value) yield* encoder.#item(element, context, depth, `${path}{…}`);
    });
  }

  static WRITERS = new Map([
    [Array, function* (value, context, depth, path) {
      yield* this.#sequence(value, value, VALUE, depth + 1, path, cbor.head(cbor.ARRAY, value.length));
    }],
    [values.Tuple, function* (value, context, depth, path) {
      yield* this.#sequence(value, value.items, context, depth + 1, path, collection("tuple", value.items.length));
    }],
    [FrozenSet, function* (value, context, depth, path) {
      const inner = context === KEY ? KEY : ELEMENT;
      yield* this.#elements(value, inner, depth + 1, path, collection("frozenset", value.size));
    }],
    [SetValue, function* (value, context, depth, path) {
      const head = Buffer.concat([cbor.head(cbor.TAG, 258), cbor.head(cbor.ARRAY, value.size)]);
      yield* this.#elements(value, ELEMENT, depth + 1, path, head);
    }],
    [Dict, function* (value, context, depth, path) {
      const encoder = this;
      yield* this.#nested(value, depth + 1, 2 * value.size, cbor.head(cbor.MAP, value.size), path, function* () {
        for (const [key, item] of value) {
          yield* encoder.#item(key, KEY, depth + 1, path + label(key));
          yield* encoder.#item(item, VALUE, depth + 1, path + label(key));
        }
      });
    }],
    [values.App, function* (value, context, depth, path) {
      if (!this.limits.types.has(value.type)) throw refusal(path, `a value of type ${value.type}, which is not registered`);
      const encoder = this;
      const head = Buffer.concat([cbor.head(cbor.TAG, 27), cbor.head(cbor.ARRAY, 3), cbor.text("app"), cbor.text(value.type)]);
      yield* this.#nested(value, depth + 1, 1, head, path, () => encoder.#item(value.value, VALUE, depth + 1, path));
    }],
    [values.Float, function* (value) {
      yield entry(float(value));
    }],
    [values.Complex, function* ({ re, im }) {
      yield* this.#extension("complex", Buffer.concat([float(re), float(im)]));
    }],
    [values.DateTime, function* ({ fields, fold, zone }) {
      yield* this.#extension("datetime", Buffer.concat([integers([...fields, fold]), encodeZone(zone)]));
    }],
    [values.Time, function* ({ fields, fold, zone }) {
      yield* this.#extension("time", Buffer.concat([integers([...fields, fold]), encodeZone(zone)]));
    }],
    [values.DateValue, function* ({ fields }) {
      yield* this.#extension("date", integers(fields));
    }],
    [values.TimeDelta, function* ({ fields }) {
      yield* this.#extension("timedelta", integers(fields));
    }],
    [values.Decimal, function* ({ text }, context, depth, path) {
      if (text.length > cbor.MAX_INLINE) throw new Fault("TOO_LARGE", `${path}: a Decimal of ${text.length} characters`);
      yield* this.#extension("decimal", cbor.text(text));
    }],
    [values.UUID, function* ({ bytes }) {
      yield* this.#extension("uuid", cbor.byteString(bytes));
    }],
    [values.ByteArray, function* ({ bytes }) {
      yield* this.#bytes("bytearray", Buffer.alloc(0), bytes);
    }],
    [values.NDArray, function* ({ dtype, shape, data }) {
      yield* this.#bytes("ndarray", Buffer.concat([cbor.text(dtype), encodeShape(shape)]), data);
    }],
    [values.Scalar, function* ({ dtype, data }) {
      yield* this.#extension("scalar", Buffer.concat([cbor.text(dtype), cbor.byteString(data)]));
    }],
    [values.Tensor, function* (value) {
      yield* this.#tensor("tensor", value);
    }],
    [values.Parameter, function* (value) {
      yield* this.#tensor("parameter", value);
    }],
  ]);

  *#tensor(name, { dtype, shape, requiresGrad, data }) {
    const gradient = cbor.simple(requiresGrad ? cbor.TRUE : cbor.FALSE);
    yield* this.#bytes(name, Buffer.concat([cbor.text(dtype), encodeShape(shape), gradient]), data);
  }
}

const { WRITERS } = Encoder;

const ARITY = {
  str: 1, bytes: 1, bytearray: 1, complex: 2, datetime: 9, date: 3, time: 6, timedelta: 3, decimal: 1, uuid: 1,
  ndarray: 3, scalar: 2, tensor: 4, parameter: 4,
};

const collection = (name, size) =>
  Buffer.concat([cbor.head(cbor.TAG, 27), cbor.head(cbor.ARRAY, size + 1), cbor.text(name)]);

const integers = (numbers) => Buffer.concat(numbers.map(cbor.integer));
const encodeShape = (shape) => Buffer.concat([cbor.head(cbor.ARRAY, shape.length), integers(shape)]);

function float({ bits }) {
  const bytes = Buffer.alloc(9, (cbor.SIMPLE << 5) | cbor.FLOAT64);
  bytes.writeBigUInt64BE(bits, 1);
  return bytes;
}

function encodeZone(zone) {
  if (zone === null) return cbor.simple(cbor.NULL);
  if (zone.name === null) return cbor.integer(zone.offset);
  return Buffer.concat([cbor.head(cbor.ARRAY, 2), cbor.integer(zone.offset), cbor.text(zone.name)]);
}

/** The item of a value that is one head, or undefined. */
function scalar(value) {
  if (value === null) return cbor.simple(cbor.NULL);
  if (typeof value === "boolean") return cbor.simple(value ? cbor.TRUE : cbor.FALSE);
  if (typeof value === "bigint" && BigInt.asIntN(65, value) === value) return cbor.integer(value);
  return undefined;
}

function bignum(value, path) {
  const argument = value < 0n ? -1n - value : value;
  const hex = argument.toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex");
  if (bytes.length > cbor.MAX_INLINE) throw new Fault("TOO_LARGE", `${path}: an int of ${bytes.length} bytes`);
  return Buffer.concat([cbor.head(cbor.TAG, value < 0n ? 3 : 2), cbor.byteString(bytes)]);
}

/** Joins skeleton bytes up to `chunk` bytes; a piece before a buffer ends with its reference. */
export function* frames(pieces, chunk) {
  let joined = [];
  let length = 0;
  const flush = function* () {
    if (length > 0) yield { type: ENTRIES, bytes: Buffer.concat(joined) };
    joined = [];
    length = 0;
  };
  for (const piece of pieces) {
    if (piece.type === ENTRIES && length + piece.bytes.length <= chunk) {
      joined.push(piece.bytes);
      length += piece.bytes.length;
      continue;
    }
    yield* flush();
    if (piece.type === DATA) {
      yield piece;
    } else {
      joined = [piece.bytes];
      length = piece.bytes.length;
    }
  }
  yield* flush();
}
