// Equality of keys and elements (section 4.1): equal values have equal texts, others have different ones.
//
// Maps are keyed by these texts and not by the values: hashes of BigInt are predictable, hashes of texts that do not
// look like an index are not (section 15.3).

import { Complex, DateTime, DateValue, Decimal, Float, Scalar, Time, TimeDelta, Tuple, UUID } from "./values.mjs";

let unequal = 0;
const nan = () => `nan${unequal++}`;

/** The method of classes that know their own key. */
export const KEY = Symbol("key");

/** A text for the key; TypeError for what can be no key or element. */
export function keyOf(value) {
  if (value === null) return "null";
  switch (typeof value) {
    case "boolean": return keyOf(value ? 1n : 0n);
    case "bigint": return integer(value);
    case "string": return `s${value.length}:${value}`;
  }
  if (value instanceof Uint8Array) return `b${value.length}:${Buffer.from(value).toString("latin1")}`;
  if (value?.[KEY] !== undefined) return value[KEY]();
  const make = MAKERS.get(value?.constructor);
  if (make === undefined) throw new TypeError("no key and no element");
  return make(value);
}

export const listKey = (name, keys) => `${name}${keys.length}(${keys.join(",")})`;

const MAKERS = new Map([
  [Float, (value) => float(value.number)],
  [Complex, ({ re, im }) => complex(re.number, im.number)],
  [Decimal, decimal],
  [Scalar, scalar],
  [Tuple, ({ items }) => listKey("t", items.map(keyOf))],
  [UUID, ({ bytes }) => `u${Buffer.from(bytes).toString("hex")}`],
  [DateValue, ({ fields }) => `d${days(...fields)}`],
  [TimeDelta, ({ fields: [d, seconds, microseconds] }) => `td${(d * 86400n + seconds) * 1000000n + microseconds}`],
  [Time, ({ fields, zone }) => instant("ti", 0n, fields, zone)],
  [DateTime, ({ fields, zone }) => instant("dt", days(...fields.slice(0, 3)), fields.slice(3), zone)],
]);

/** coefficient * 10^exponent, with no zero at the end of the coefficient. */
function number(negative, digits, exponent) {
  const stripped = digits.replace(/0+$/, "");
  if (stripped === "") return "n0";
  return `n${negative ? "-" : ""}${stripped}e${exponent + BigInt(digits.length - stripped.length)}`;
}

const integer = (value) => number(value < 0n, (value < 0n ? -value : value).toString(), 0n);

function float(value) {
  if (Number.isNaN(value)) return nan();
  if (!Number.isFinite(value)) return `n${value}`;
  let twos = 0n;
  while (!Number.isInteger(value)) {
    value *= 2;
    twos += 1n;
  }
  const coefficient = BigInt(value) * 5n ** twos;
  return number(value < 0, (value < 0 ? -coefficient : coefficient).toString(), -twos);
}

function complex(re, im) {
  if (Number.isNaN(re) || Number.isNaN(im)) return nan();
  return im === 0 ? float(re) : `c${float(re)},${float(im)}`;
}

function decimal({ special, text, negative, coefficient, exponent }) {
  if (special === undefined) return number(negative, coefficient, exponent);
  return special === "Infinity" ? `n${text}` : nan();
}

function scalar({ dtype, data }) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (dtype) {
    case "F64": return float(view.getFloat64(0, true));
    case "F32": return float(view.getFloat32(0, true));
    case "F16": return float(half(view.getUint16(0, true)));
    case "C64": return complex(view.getFloat32(0, true), view.getFloat32(4, true));
    case "C128": return complex(view.getFloat64(0, true), view.getFloat64(8, true));
  }
  const bits = [...data].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return integer(dtype.startsWith("I") ? BigInt.asIntN(8 * data.length, bits) : bits);
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

function days(year, month, day) {
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return BigInt(date.getTime() / 86400000);
}

function instant(name, day, [hour, minute, second, microsecond], zone) {
  const local = (((day * 24n + hour) * 60n + minute) * 60n + second) * 1000000n + microsecond;
  return zone === null ? `${name}${local}` : `${name}z${local - zone.offset}`;
}
