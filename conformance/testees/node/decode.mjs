// Reads the skeleton stream and its buffers (chapters 8.5 and 9), token by token, into values.

import { ByteQueue } from "./bytes.mjs";
import * as cbor from "./cbor.mjs";
import { Dict, FrozenSet, SetValue } from "./containers.mjs";
import { Fault, protocol, tooLarge } from "./errors.mjs";
import { emptyObject, itemsOf } from "./objects.mjs";
import * as values from "./values.mjs";

const VALUE = "a value", ELEMENT = "an element of a set", KEY = "a key";
const TAGS = [2n, 3n, 27n, 258n];
const HASHABLE = new Set(["str", "bytes", "tuple", "frozenset"]);
const NOT_HASHABLE = new Set(["bytearray", "ndarray", "tensor", "parameter", "app"]);

/** Calls of a constructor or check whose RangeError means that the peer's arguments have no meaning. */
function meaning(make) {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw protocol(error.message);
    throw error;
  }
}

export class Decoder {
  #queue = new ByteQueue();
  #tokens;
  #machine;
  #counted = 0n;
  #between = false;
  #buffer = null;
  count = 0n;

  /** `types` are the names of the application types that are registered: a list, or what has `has`. */
  constructor(kind, { maxItems, maxDepth, maxInline, types }) {
    Object.assign(this, { maxItems: BigInt(maxItems), maxDepth, types: Array.isArray(types) ? new Set(types) : types });
    this.#tokens = new cbor.TokenReader(this.#queue, { maxInline, tags: TAGS, floats: true });
    this.#machine = this.#entries(kind);
    this.#machine.next();
  }

  /** Bytes that the buffer in progress still lacks; 0 when none is expected. */
  get expected() {
    return this.#buffer === null ? 0 : this.#buffer.length - this.#buffer.filled;
  }

  /** Whether no item and no buffer is open. */
  get complete() {
    return this.#between && this.#queue.length === 0;
  }

  /** Skeleton bytes of one frame; `allowance` is how many content bytes may follow it. */
  entries(bytes, allowance) {
    this.allowance = allowance;
    this.#queue.push(bytes);
    this.#machine.next();
  }

  /** Bytes of the buffer that is expected, at most as many. */
  data(bytes) {
    const buffer = this.#buffer;
    buffer.bytes.set(bytes, buffer.filled);
    buffer.filled += bytes.length;
    if (buffer.filled < buffer.length) return;
    this.#buffer = null;
    this.#machine.next();
  }

  // ---- tokens ----

  *#head() {
    for (let token; ; ) {
      if ((token = this.#tokens.head()) !== null) return token;
      yield;
    }
  }

  *#string(length) {
    for (let bytes; ; ) {
      if ((bytes = this.#tokens.string(length)) !== null) return Buffer.from(bytes);
      yield;
    }
  }

  *#text(token) {
    if (token.major !== cbor.TEXT) throw protocol("no text where one has to stand");
    return cbor.decodeText(yield* this.#string(token.argument));
  }

  /** The head of a reference, before it is compared with anything else. */
  #reference(length) {
    if (length === 0n) throw protocol("a reference of length 0");
    if (length > this.allowance) throw tooLarge(`a buffer of ${length} bytes`);
  }

  *#fill(length) {
    if (this.#queue.length > 0) throw protocol("bytes after a buffer reference");
    this.#buffer = { bytes: this.#allocate(Number(length)), filled: 0, length: Number(length) };
    const { bytes } = this.#buffer;
    while (this.#buffer !== null) yield;
    return bytes;
  }

  #allocate(length) {
    try {
      return Buffer.alloc(length);
    } catch {
      throw tooLarge(`a buffer of ${length} bytes`);
    }
  }

  /** A byte string or a reference, of `size` bytes if that is given. */
  *#bytesOrReference(size) {
    const { major, argument } = yield* this.#head();
    if (major === cbor.UINT) this.#reference(argument);
    else if (major !== cbor.BYTES) throw protocol("no bytes where they have to stand");
    if (size !== undefined && argument !== size) throw protocol(`${argument} bytes in place of ${size}`);
    return major === cbor.UINT ? yield* this.#fill(argument) : yield* this.#string(argument);
  }

  *#integer() {
    const { major, argument } = yield* this.#head();
    if (major > cbor.NEGATIVE) throw protocol("no integer where one has to stand");
    return major === cbor.UINT ? argument : -1n - argument;
  }

  // ---- limits ----

  #count(number) {
    this.#counted += number;
    if (this.#counted > this.maxItems) throw tooLarge("too many items");
  }

  #nest(depth) {
    if (depth > this.maxDepth) throw tooLarge("values nest too deep");
  }

  // ---- items ----

  *#entries(kind) {
    const object = (this.object = emptyObject(kind));
    for (;; this.count++) {
      this.#between = true;
      while (this.#queue.length === 0) yield;
      this.#between = false;
      if (kind === "dict") {
        const key = yield* this.#entry(KEY);
        if (object.has(key)) throw protocol("a key occurs twice");
        object.add(key, yield* this.#entry(VALUE));
      } else if (kind === "set" || kind === "frozenset") {
        if (!object.add(yield* this.#entry(ELEMENT))) throw protocol("an element occurs twice");
      } else {
        itemsOf(object).push(yield* this.#entry(VALUE));
      }
    }
  }

  *#entry(context) {
    const token = yield* this.#head();
    this.#count(1n);
    return yield* this.#item(context, 0, token);
  }

  /** `depth` is the number of containers around the item. */
  *#item(context, depth, token) {
    const { major, info, argument } = token ?? (yield* this.#head());
    switch (major) {
      case cbor.UINT: return argument;
      case cbor.NEGATIVE: return -1n - argument;
      case cbor.BYTES: return yield* this.#string(argument);
      case cbor.TEXT: return cbor.decodeText(yield* this.#string(argument));
      case cbor.ARRAY: return yield* this.#list(context, depth + 1, argument);
      case cbor.MAP: return yield* this.#dict(context, depth + 1, argument);
      case cbor.TAG: return yield* this.#tagged(context, depth, argument);
      default: return info === cbor.FLOAT64 ? new values.Float(argument) : info === cbor.NULL ? null : info === cbor.TRUE;
    }
  }

  #open(context, depth, items, allowed) {
    this.#nest(depth);
    this.#count(items);
    if (!allowed.includes(context)) throw protocol(`a value that cannot be ${context}`);
  }

  *#list(context, depth, length) {
    this.#open(context, depth, length, [VALUE]);
    return yield* this.#items(VALUE, depth, length);
  }

  *#items(context, depth, length) {
    const items = [];
    for (let left = length; left > 0n; left--) items.push(yield* this.#item(context, depth));
    return items;
  }

  *#dict(context, depth, length) {
    this.#open(context, depth, 2n * length, [VALUE]);
    const dict = new Dict();
    for (let left = length; left > 0n; left--) {
      const key = yield* this.#item(KEY, depth);
      if (dict.has(key)) throw protocol("a key occurs twice");
      dict.add(key, yield* this.#item(VALUE, depth));
    }
    return dict;
  }

  *#elements(set, context, depth, length) {
    for (let left = length; left > 0n; left--) {
      if (!set.add(yield* this.#item(context, depth))) throw protocol("an element occurs twice");
    }
    return set;
  }

  *#tagged(context, depth, tag) {
    const { major, argument } = yield* this.#head();
    if (tag === 258n) {
      if (major !== cbor.ARRAY) throw protocol("a set that is no array");
      this.#open(context, depth + 1, argument, [VALUE]);
      return yield* this.#elements(new SetValue(), ELEMENT, depth + 1, argument);
    }
    if (tag === 27n) {
      if (major !== cbor.ARRAY || argument === 0n) throw protocol("an extension that is no array with a name");
      return yield* this.#extension(context, depth, argument - 1n);
    }
    if (major !== cbor.BYTES || argument <= 8n) throw protocol("a bignum that is no byte string of more than 8 bytes");
    const bytes = yield* this.#string(argument);
    if (bytes[0] === 0) throw protocol("a bignum with a leading zero");
    const number = BigInt("0x" + bytes.toString("hex"));
    return tag === 2n ? number : -1n - number;
  }

  *#extension(context, depth, length) {
    const name = yield* this.#text(yield* this.#head());
    if (name === "tuple") {
      this.#open(context, depth + 1, length, [VALUE, ELEMENT, KEY]);
      return new values.Tuple(yield* this.#items(context, depth + 1, length));
    }
    if (name === "frozenset") {
      this.#open(context, depth + 1, length, [VALUE, ELEMENT, KEY]);
      return yield* this.#elements(new FrozenSet(), context === KEY ? KEY : ELEMENT, depth + 1, length);
    }
    const extension = Object.hasOwn(EXTENSIONS, name) ? EXTENSIONS[name] : undefined;
    if (extension === undefined) throw new Fault("UNSUPPORTED", "an extension value of unknown name");
    if (name === "app") this.#nest(depth + 1);
    const hashable = HASHABLE.has(name) || (context === ELEMENT && !NOT_HASHABLE.has(name));
    if (context !== VALUE && !hashable) throw protocol(`a ${name} cannot be ${context}`);
    if (length !== extension.length) throw protocol(`${name} with ${length} arguments`);
    return yield* extension.read.call(this, depth + 1);
  }

  // ---- arguments of extensions ----

  *#float() {
    const { major, info, argument } = yield* this.#head();
    if (major !== cbor.SIMPLE || info !== cbor.FLOAT64) throw protocol("no float where one has to stand");
    return new values.Float(argument);
  }

  *#bool() {
    const { major, info } = yield* this.#head();
    if (major !== cbor.SIMPLE || (info !== cbor.TRUE && info !== cbor.FALSE)) throw protocol("no bool");
    return info === cbor.TRUE;
  }

  *#integers(count) {
    const integers = [];
    while (integers.length < count) integers.push(yield* this.#integer());
    return integers;
  }

  *#byteString(size) {
    const { major, argument } = yield* this.#head();
    if (major !== cbor.BYTES) throw protocol("no byte string where one has to stand");
    if (argument !== size) throw protocol(`${argument} bytes in place of ${size}`);
    return yield* this.#string(argument);
  }

  *#zone() {
    const { major, info, argument } = yield* this.#head();
    if (major === cbor.SIMPLE && info === cbor.NULL) return null;
    if (major === cbor.UINT) return meaning(() => new values.Zone(argument));
    if (major === cbor.NEGATIVE) return meaning(() => new values.Zone(-1n - argument));
    if (major !== cbor.ARRAY || argument !== 2n) throw protocol("no zone where one has to stand");
    const offset = yield* this.#integer();
    const name = yield* this.#text(yield* this.#head());
    return meaning(() => new values.Zone(offset, name));
  }

  *#dtype(tensor) {
    const dtype = yield* this.#text(yield* this.#head());
    return { dtype, item: meaning(() => values.itemSize(dtype, { tensor })) };
  }

  *#shape(item) {
    const { major, argument } = yield* this.#head();
    if (major !== cbor.ARRAY || argument > 64n) throw protocol("no shape of at most 64 dimensions");
    const shape = [];
    while (shape.length < Number(argument)) shape.push(yield* this.#integer());
    return { shape, size: meaning(() => values.arraySize(item, shape)) };
  }

  static EXTENSIONS = {
    str: { length: 1n, *read() { return cbor.decodeText(yield* this.#onlyReference()); } },
    bytes: { length: 1n, *read() { return yield* this.#onlyReference(); } },
    bytearray: { length: 1n, *read() { return new values.ByteArray(yield* this.#bytesOrReference()); } },
    complex: { length: 2n, *read() { return new values.Complex(yield* this.#float(), yield* this.#float()); } },
    datetime: { length: 9n, *read() { return yield* this.#timed(values.DateTime, 7); } },
    time: { length: 6n, *read() { return yield* this.#timed(values.Time, 4); } },
    date: { length: 3n, *read() { return yield* this.#plain(values.DateValue); } },
    timedelta: { length: 3n, *read() { return yield* this.#plain(values.TimeDelta); } },
    decimal: {
      length: 1n,
      *read() {
        const text = yield* this.#text(yield* this.#head());
        return meaning(() => new values.Decimal(text));
      },
    },
    uuid: { length: 1n, *read() { return new values.UUID(yield* this.#byteString(16n)); } },
    ndarray: {
      length: 3n,
      *read() {
        const { dtype, item } = yield* this.#dtype(false);
        const { shape, size } = yield* this.#shape(item);
        const data = yield* this.#bytesOrReference(size);
        return meaning(() => new values.NDArray(dtype, shape, data));
      },
    },
    scalar: {
      length: 2n,
      *read() {
        const { dtype, item } = yield* this.#dtype(false);
        const data = yield* this.#byteString(BigInt(item));
        return meaning(() => new values.Scalar(dtype, data));
      },
    },
    tensor: { length: 4n, *read() { return yield* this.#tensor(values.Tensor); } },
    parameter: { length: 4n, *read() { return yield* this.#tensor(values.Parameter); } },
    app: {
      length: 2n,
      *read(depth) {
        const type = yield* this.#text(yield* this.#head());
        meaning(() => new values.App(type, null));
        if (!this.types.has(type)) throw new Fault("UNSUPPORTED", "an application type that is not registered");
        this.#count(1n);
        return new values.App(type, yield* this.#item(VALUE, depth));
      },
    },
  };

  *#onlyReference() {
    const { major, argument } = yield* this.#head();
    if (major !== cbor.UINT) throw protocol("no reference where one has to stand");
    this.#reference(argument);
    return yield* this.#fill(argument);
  }

  *#plain(type) {
    const fields = yield* this.#integers(3);
    return meaning(() => new type(...fields));
  }

  *#timed(type, count) {
    const fields = yield* this.#integers(count + 1);
    const zone = yield* this.#zone();
    return meaning(() => new type(...fields, zone));
  }

  *#tensor(type) {
    const { dtype, item } = yield* this.#dtype(true);
    const { shape, size } = yield* this.#shape(item);
    const requiresGrad = yield* this.#bool();
    meaning(() => values.checkGradient(dtype, requiresGrad));
    const data = yield* this.#bytesOrReference(size);
    return meaning(() => new type(dtype, shape, requiresGrad, data));
  }
}

const { EXTENSIONS } = Decoder;
