import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../connection.mjs";
import { Dict, FrozenSet, SetValue } from "../containers.mjs";
import { Fault } from "../errors.mjs";
import { encodeFrame, PREFACE, RESET } from "../frames.mjs";
import { Application, File } from "../objects.mjs";
import { Receiver } from "../receiver.mjs";
import { Sender } from "../sender.mjs";
import * as values from "../values.mjs";
import { answerOf, converse } from "./helpers.mjs";
import { format, parse } from "./notation.mjs";

const long = Buffer.from(Array.from({ length: 200000 }, (_, index) => (index * 7) & 255));
const everything = () => parse([
  null, true, false, 0, -1, { int: `${2n ** 64n - 1n}` }, { int: `${2n ** 64n}` }, { int: `${-(2n ** 64n)}` },
  { int: `${-(2n ** 64n) - 1n}` }, { float: "-0.0" }, { float: "0xfff4000000000001" }, "", "é😀".repeat(20000),
  { bytes: long.toString("hex") }, { bytearray: "" }, { bytearray: long.toString("hex") }, { tuple: [1, [2, { tuple: [] }]] },
  { set: [1, "a", { decimal: "1.50" }, { frozenset: [{ tuple: [2] }] }] }, { complex: ["1.5", "-0.0"] },
  { dict: [[{ tuple: [1, { bytes: "00" }] }, { dict: [] }], [{ float: "1.5" }, [null]], [null, 3]] },
  { datetime: [2024, 2, 29, 23, 59, 59, 999999, 1, [3600000000, "CET"]] }, { date: [9999, 12, 31] },
  { time: [23, 59, 59, 0, 0, -1] }, { timedelta: [-1, 86399, 999999] }, { decimal: "0E-7" }, { decimal: "sNaN12" },
  { uuid: "000102030405060708090a0b0c0d0e0f" }, { ndarray: ["F64", [0, 3], ""] }, { ndarray: ["BOOL", [], "01"] },
  { ndarray: ["U8", [400, 500], long.toString("hex")] }, { scalar: ["C128", "00".repeat(16)] },
  { tensor: ["BF16", [2], true, "803fc07f"] }, { parameter: ["F32", [1], false, "00000000"] }, { app: ["site/point@2", [1]] },
]);

const OBJECTS = {
  "a list of everything": everything,
  "a dict": () => new Dict([["a", 1n], [2n, "b"], [new values.Tuple([]), everything()]]),
  "a tuple": () => new values.Tuple([1n, "a"]),
  "a set": () => new SetValue([1n, "a", values.Float.of(1.5)]),
  "a frozenset": () => new FrozenSet([new FrozenSet([1n])]),
  "an empty dict": () => new Dict(),
  "an empty list": () => [],
  "a file": () => new File(long),
  "an empty file": () => new File(Buffer.alloc(0)),
};

const LIMITS = [
  ["defaults", {}, {}],
  ["narrow frames and windows", { chunk: 1000 }, { maxFrame: 777, window: 2500, types: [] }],
  ["without digests or inline buffers", { inline: 0, digests: ["none"] }, { window: 4099, digests: ["sha-256", "none"] }],
];

for (const [title, make] of Object.entries(OBJECTS)) {
  for (const [limits, own, other] of LIMITS) {
    for (const way of ["pull", "push"]) {
      test(`${way} of ${title}, ${limits}`, () => {
        const object = make();
        const kind = object instanceof File ? "file" : "container";
        const stored = [];
        const options = { ...other, types: ["site/point@2"], store: (value) => stored.push(value) };
        const giving = { ...own, types: options.types };
        const sender = way === "pull" ? new Sender(() => object, giving) : Sender.push("object", object, giving);
        const receiver = new Receiver(way === "pull" ? { ...options, name: "object", kind } : options);
        converse(sender, receiver, 4096);
        assert.deepEqual([sender.outcome(), sender.error, receiver.error], [["delivered", null], null, null]);
        assert.deepEqual(stored.map(format), [format(make())]);
      });
    }
  }
}

test("an application's kind", () => {
  const object = new Application("x-rows", [[1n], "a"]);
  const receiver = new Receiver({ name: "rows", kind: "x-rows" });
  converse(new Sender(() => object), receiver);
  assert.deepEqual(receiver.outcome(), ["delivered", object]);
});

const failing = (sender, receiver) => {
  converse(sender, receiver);
  return [sender.outcome()[1], receiver.outcome()[1]];
};

test("each failure has one code on both sides", () => {
  const cycle = [];
  cycle.push(cycle);
  let deep = [];
  for (let depth = 0; depth < 128; depth++) deep = [deep];
  const dict = new Dict([["a", { an: "object" }]]);
  const cases = [
    [() => new Sender(() => cycle), "UNSUPPORTED"],
    [() => new Sender(() => [deep]), "TOO_LARGE"],
    [() => new Sender(() => dict), "UNSUPPORTED"],
    [() => new Sender(() => ["\ud800"]), "UNSUPPORTED"],
    [() => new Sender(() => [1]), "UNSUPPORTED"],
    [() => new Sender(() => [1n << (8n * 65536n)]), "TOO_LARGE"],
    [() => new Sender(() => new File(long)), "NOT_FOUND"],
    [() => new Sender(() => { throw new Fault("REFUSED", "no"); }), "REFUSED"],
    [() => new Sender(() => { throw new Error("/a/local/path"); }), "SOURCE_FAILED"],
  ];
  for (const [make, code] of cases) {
    const [sender, receiver] = [make(), new Receiver({ name: "object" })];
    assert.deepEqual(failing(sender, receiver), [code, code]);
    assert.doesNotMatch(receiver.error.message, /path/);
  }
  assert.match((() => {
    const sender = new Sender(() => dict);
    converse(sender, new Receiver({ name: "model" }));
    return sender.error.message;
  })(), /model\["a"\]/);
});

test("meta that no reader has to take is not sent", () => {
  const sender = Sender.push("object", [1n], { attributes: new Map([["note", "x".repeat(5000)]]) });
  sender.start();
  assert.deepEqual(sender.outcome(), ["failed", "TOO_LARGE"]);
});

test("a store that fails, and an offer that is refused, reach the sender", () => {
  const refuse = () => { throw new Error(); };
  assert.deepEqual(failing(Sender.push("x", [1n]), new Receiver({ store: refuse })), ["STORE_FAILED", "STORE_FAILED"]);
  assert.deepEqual(failing(Sender.push("x", [1n]), new Receiver({ accept: refuse })), ["REFUSED", "REFUSED"]);
});

test("a change between two portions is no delivery", () => {
  const object = [new values.ByteArray(Buffer.alloc(5000)), new values.ByteArray(Buffer.alloc(5000))];
  const sender = new Sender(() => object, { chunk: 1000 });
  const receiver = new Receiver({ name: "object", window: 2000 });
  sender.feed(receiver.start());
  receiver.feed(sender.start());
  object[1].bytes[4999] = 1;
  const change = sender.feed(encodeFrame(8, 1n, { 7: 1n << 20n }));
  assert.deepEqual(answerOf(Buffer.concat([PREFACE, change])), ["RESET"]);
  assert.deepEqual(sender.outcome(), ["failed", "SOURCE_CHANGED"]);
});

test("keys that are equal are one key", () => {
  const equal = [[true, 1n], [1n, values.Float.of(1)], [0n, values.Float.of(-0)], [2n ** 70n, values.Float.of(2 ** 70)]];
  for (const [one, other] of equal) assert.equal(new Dict([[one, 1n]]).add(other, 2n), false);
  const different = [["1", 1n], ["a", Buffer.from("a")], [values.Float.of(NaN), values.Float.of(NaN)], [null, 0n]];
  for (const [one, other] of different) assert.equal(new Dict([[one, 1n]]).add(other, 2n), true);
  assert.throws(() => new SetValue([new values.Decimal("1E+1"), new values.Scalar("I8", Buffer.of(10))]), RangeError);
});

test("the deadline is neither early nor late, and a trickle is no progress", () => {
  const receiver = new Receiver({ name: "object", deadline: 10 });
  receiver.start();
  receiver.advance(9.9);
  receiver.feed(PREFACE);
  assert.equal(receiver.outcome(), null);
  assert.deepEqual(answerOf(Buffer.concat([PREFACE, receiver.advance(0.1)])), ["RESET"]);
  assert.deepEqual(receiver.outcome(), ["failed", "STALLED"]);
  assert.equal(receiver.feed(PREFACE).length, 0);
});

test("after END only DONE and RESET tell the sender what happened", () => {
  const ended = () => {
    const sender = new Sender(() => [1n]);
    sender.start();
    sender.feed(new Receiver({ name: "object" }).start());
    return sender;
  };
  const events = {
    eof: (sender) => sender.eof(), cancel: (sender) => sender.cancel(), deadline: (sender) => sender.advance(60),
    garbage: (sender) => sender.feed(Buffer.alloc(24, 1)),
  };
  for (const [title, event] of Object.entries(events)) {
    const sender = ended();
    const said = answerOf(Buffer.concat([PREFACE, event(sender)]));
    assert.deepEqual([sender.outcome(), said], [["failed", "UNCONFIRMED"], title === "eof" ? [] : ["RESET"]], title);
  }
  const sender = ended();
  sender.feed(encodeFrame(RESET, 1n, { 13: 99n, 14: "new\u001b[2J" }));
  assert.deepEqual(sender.outcome(), ["failed", "PROTOCOL"]);
  assert.match(sender.error.message, /99.*\\x1b/);
});

test("two sessions on one connection, in one portion and byte by byte", () => {
  const said = [1n, 2n].map((number) => converse(Sender.push("object", [number]), new Receiver())[0]);
  const stream = Buffer.concat([said[0], said[1].subarray(PREFACE.length)]);
  for (const size of [stream.length, 1]) {
    const stored = [];
    const connection = new Connection(() => new Receiver({ store: (value) => stored.push(value) }));
    const answers = [connection.start()];
    for (let at = 0; at < stream.length; at += size) answers.push(connection.feed(stream.subarray(at, at + size)));
    assert.deepEqual(answerOf(Buffer.concat(answers)), ["REQUEST", "DONE", "REQUEST", "DONE"]);
    assert.deepEqual([stored, connection.outcome()], [[[1n], [2n]], ["delivered", [2n]]]);
    connection.feed(stream.subarray(PREFACE.length, PREFACE.length + 30));
    assert.deepEqual(connection.outcome(), ["delivered", [2n]]);
    connection.eof();
    assert.deepEqual(connection.outcome(), ["failed", "LOST"]);
  }
});
