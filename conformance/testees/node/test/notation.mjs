// Values in JSON, as spec/vectors/README.md defines them.

import { Dict, FrozenSet, SetValue } from "../containers.mjs";
import { File } from "../objects.mjs";
import * as values from "../values.mjs";

const bytes = (hex) => Buffer.from(hex, "hex");
const hex = (data) => Buffer.from(data).toString("hex");
const float = (text) => (text.startsWith("0x") ? new values.Float(BigInt(text)) : values.Float.of(Number(text)));
const bits = (value) => `0x${value.bits.toString(16).padStart(16, "0")}`;
const bigints = (numbers) => numbers.map((number) => BigInt(number));

function zone(json) {
  if (json === null) return null;
  return Array.isArray(json) ? new values.Zone(BigInt(json[0]), json[1]) : new values.Zone(BigInt(json));
}

const timed = (type) => (json) => new type(...bigints(json.slice(0, -1)), zone(json.at(-1)));
const array = (type) => ([dtype, shape, ...rest]) => new type(dtype, bigints(shape), ...rest.slice(0, -1), bytes(rest.at(-1)));
const list = (json) => json.map(parse);

const PARSERS = {
  int: BigInt, float, bytes,
  dict: (json) => new Dict(json.map(list)),
  tuple: (json) => new values.Tuple(list(json)),
  set: (json) => new SetValue(list(json)),
  frozenset: (json) => new FrozenSet(list(json)),
  bytearray: (json) => new values.ByteArray(bytes(json)),
  complex: ([re, im]) => new values.Complex(float(re), float(im)),
  datetime: timed(values.DateTime),
  time: timed(values.Time),
  date: (json) => new values.DateValue(...bigints(json)),
  timedelta: (json) => new values.TimeDelta(...bigints(json)),
  decimal: (json) => new values.Decimal(json),
  uuid: (json) => new values.UUID(bytes(json)),
  ndarray: array(values.NDArray),
  scalar: ([dtype, data]) => new values.Scalar(dtype, bytes(data)),
  tensor: array(values.Tensor),
  parameter: array(values.Parameter),
  app: ([type, value]) => new values.App(type, parse(value)),
  file: (json) => new File(bytes(json)),
};

export function parse(json) {
  if (typeof json === "number") return BigInt(json);
  if (Array.isArray(json)) return list(json);
  if (json === null || typeof json !== "object") return json;
  const [[type, argument]] = Object.entries(json);
  return PARSERS[type](argument);
}

const formatZone = (value) => (value === null ? null : value.name === null ? `${value.offset}` : [`${value.offset}`, value.name]);
const formatTimed = ({ fields, fold, zone: value }) => [...fields.map(String), `${fold}`, formatZone(value)];
const formatAll = (items) => [...items].map(format);

const FORMATS = new Map([
  [values.Float, (value) => ({ float: bits(value) })],
  [Dict, (value) => ({ dict: [...value].map(formatAll) })],
  [values.Tuple, ({ items }) => ({ tuple: formatAll(items) })],
  [SetValue, (value) => ({ set: formatAll(value) })],
  [FrozenSet, (value) => ({ frozenset: formatAll(value) })],
  [values.ByteArray, (value) => ({ bytearray: hex(value.bytes) })],
  [values.Complex, ({ re, im }) => ({ complex: [bits(re), bits(im)] })],
  [values.DateTime, (value) => ({ datetime: formatTimed(value) })],
  [values.Time, (value) => ({ time: formatTimed(value) })],
  [values.DateValue, ({ fields }) => ({ date: fields.map(String) })],
  [values.TimeDelta, ({ fields }) => ({ timedelta: fields.map(String) })],
  [values.Decimal, ({ text }) => ({ decimal: text })],
  [values.UUID, (value) => ({ uuid: hex(value.bytes) })],
  [values.NDArray, ({ dtype, shape, data }) => ({ ndarray: [dtype, shape.map(String), hex(data)] })],
  [values.Scalar, ({ dtype, data }) => ({ scalar: [dtype, hex(data)] })],
  [values.Tensor, ({ dtype, shape, requiresGrad, data }) => ({ tensor: [dtype, shape.map(String), requiresGrad, hex(data)] })],
  [values.Parameter, ({ dtype, shape, requiresGrad, data }) => ({ parameter: [dtype, shape.map(String), requiresGrad, hex(data)] })],
  [values.App, ({ type, value }) => ({ app: [type, format(value)] })],
  [File, (value) => ({ file: hex(value.bytes) })],
]);

/** The one form of a value, for comparison: every int as text, every float by its bits. */
export function format(value) {
  if (typeof value === "bigint") return { int: `${value}` };
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return formatAll(value);
  if (value instanceof Uint8Array) return { bytes: hex(value) };
  return FORMATS.get(value.constructor)(value);
}
