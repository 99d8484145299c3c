// The value model (chapter 4) in JavaScript.
//
// null, booleans, BigInt (int), string (str), Uint8Array (bytes) and Array (list) stand for themselves; a class here
// stands for each of the others. A number is no value: it does not tell 1 from 1.0, and does not keep NaN's bits.
// Constructors refuse with RangeError what has no meaning.

const need = (condition, what) => {
  if (!condition) throw new RangeError(what);
};
const between = (value, low, high) => typeof value === "bigint" && value >= low && value <= high;

export class Float {
  constructor(bits) {
    this.bits = bits;
  }

  static of(number) {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, number);
    return new Float(view.getBigUint64(0));
  }

  get number() {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, this.bits);
    return view.getFloat64(0);
  }
}

export class Complex {
  constructor(re, im) {
    Object.assign(this, { re, im });
  }
}

export class Tuple {
  constructor(items) {
    this.items = items;
  }
}

export class ByteArray {
  constructor(bytes) {
    this.bytes = bytes;
  }
}

/** A fixed offset from UTC in microseconds, and its own name if it has one. */
export class Zone {
  constructor(offset, name = null) {
    need(between(offset, -86399999999n, 86399999999n), "an offset of a day or more");
    need(name === null || [...name].length <= 255, "a name of more than 255 characters");
    Object.assign(this, { offset, name });
  }
}

const daysOf = (year, month) =>
  [31, year % 4n === 0n && (year % 100n !== 0n || year % 400n === 0n) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][
    Number(month) - 1
  ];

function checkDate(year, month, day) {
  need(between(year, 1n, 9999n) && between(month, 1n, 12n), "no such month");
  need(between(day, 1n, BigInt(daysOf(year, month))), "no such day");
}

function checkTime(hour, minute, second, microsecond, fold, zone) {
  need(between(hour, 0n, 23n) && between(minute, 0n, 59n) && between(second, 0n, 59n), "no such time of day");
  need(between(microsecond, 0n, 999999n) && between(fold, 0n, 1n), "no such microsecond or fold");
  need(zone === null || zone instanceof Zone, "no such zone");
}

export class DateValue {
  constructor(year, month, day) {
    checkDate(year, month, day);
    this.fields = [year, month, day];
  }
}

export class Time {
  constructor(hour, minute, second, microsecond, fold = 0n, zone = null) {
    checkTime(hour, minute, second, microsecond, fold, zone);
    Object.assign(this, { fields: [hour, minute, second, microsecond], fold, zone });
  }
}

export class DateTime {
  constructor(year, month, day, hour, minute, second, microsecond, fold = 0n, zone = null) {
    checkDate(year, month, day);
    checkTime(hour, minute, second, microsecond, fold, zone);
    Object.assign(this, { fields: [year, month, day, hour, minute, second, microsecond], fold, zone });
  }
}

export class TimeDelta {
  constructor(days, seconds, microseconds) {
    need(between(days, -999999999n, 999999999n) && between(seconds, 0n, 86399n), "a time difference out of range");
    need(between(microseconds, 0n, 999999n), "a time difference out of range");
    this.fields = [days, seconds, microseconds];
  }
}

const DECIMAL = /^(-?)(?:(\d+)(?:\.(\d+))?(?:E([+-]\d+))?|(Infinity|s?NaN(\d*)))$/;

/** A number of the General Decimal Arithmetic, by its canonical text. */
export class Decimal {
  constructor(text) {
    const [, sign, whole, fraction = "", exponent = "0", special, payload] = DECIMAL.exec(text) ?? [];
    this.text = text;
    if (special !== undefined) {
      need(!payload?.startsWith("0"), "a payload with leading zeros");
      Object.assign(this, { special });
      return;
    }
    need(whole !== undefined, "no decimal number");
    this.negative = sign === "-";
    this.coefficient = (whole + fraction).replace(/^0+(?=\d)/, "");
    this.exponent = BigInt(exponent) - BigInt(fraction.length);
    need(sign + scientific(this.coefficient, this.exponent) === text, "not the canonical text of the number");
  }
}

function scientific(digits, exponent) {
  const adjusted = exponent + BigInt(digits.length - 1);
  if (exponent <= 0n && adjusted >= -6n) {
    if (exponent === 0n) return digits;
    const padded = digits.padStart(1 - Number(exponent), "0");
    return `${padded.slice(0, Number(exponent))}.${padded.slice(Number(exponent))}`;
  }
  const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
  return `${mantissa}E${adjusted < 0n ? "" : "+"}${adjusted}`;
}

export class UUID {
  constructor(bytes) {
    need(bytes.length === 16, "a UUID has 16 bytes");
    this.bytes = bytes;
  }
}

// ---- arrays ----

const ITEM_SIZE = {
  F64: 8, F32: 4, F16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1, C64: 8, C128: 16,
  BF16: 2, F8_E4M3: 1, F8_E5M2: 1, F8_E4M3FNUZ: 1, F8_E5M2FNUZ: 1, F8_E8M0: 1,
};
const MAX_DIMENSIONS = 64;
const MAX_SIZE = 2n ** 63n - 1n;

export function itemSize(dtype, { tensor }) {
  need(Object.hasOwn(ITEM_SIZE, dtype), "no such dtype");
  need(tensor || !/^(BF|F8_)/.test(dtype), `${dtype} is a dtype of tensors only`);
  return ITEM_SIZE[dtype];
}

/** The bytes of an array of that shape, as BigInt. */
export function arraySize(item, shape) {
  need(shape.length <= MAX_DIMENSIONS, "more than 64 dimensions");
  let size = BigInt(item);
  for (const length of shape) {
    need(between(length, 0n, MAX_SIZE), "no length of a dimension");
    size *= length || 1n;
    need(size <= MAX_SIZE, "a shape of more than 2^63 - 1 bytes");
  }
  return shape.includes(0n) ? 0n : size;
}

export function checkBooleans(dtype, data) {
  need(dtype !== "BOOL" || data.every((byte) => byte <= 1), "a boolean that is neither 0 nor 1");
}

export function checkGradient(dtype, requiresGrad) {
  need(typeof requiresGrad === "boolean", "requires_grad is a bool");
  need(!requiresGrad || /^(F|BF|C)/.test(dtype), `${dtype} has no gradient`);
}

function checkArray(dtype, shape, data, tensor) {
  need(arraySize(itemSize(dtype, { tensor }), shape) === BigInt(data.length), "shape and bytes do not agree");
  checkBooleans(dtype, data);
}

/** `data` holds the elements in little-endian byte order and C order; `shape` is an array of BigInt. */
export class NDArray {
  constructor(dtype, shape, data) {
    checkArray(dtype, shape, data, false);
    Object.assign(this, { dtype, shape, data });
  }
}

export class Scalar {
  constructor(dtype, data) {
    checkArray(dtype, [], data, false);
    Object.assign(this, { dtype, data });
  }
}

export class Tensor {
  constructor(dtype, shape, requiresGrad, data) {
    checkArray(dtype, shape, data, true);
    checkGradient(dtype, requiresGrad);
    Object.assign(this, { dtype, shape, requiresGrad, data });
  }
}

export class Parameter extends Tensor {}

// ---- what applications agree on ----

/** A value of an application type; the registry keeps it as it is. */
export class App {
  constructor(type, value) {
    need(type.length <= 255 && /^[A-Za-z0-9_.+\/-]+@[0-9]{1,9}$/.test(type), "no name of an application type");
    Object.assign(this, { type, value });
  }
}
