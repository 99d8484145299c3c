import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Receiver } from "../receiver.mjs";
import { Sender } from "../sender.mjs";
import { answerOf, SPEC } from "./helpers.mjs";
import { format, parse } from "./notation.mjs";

const OPTIONS = { max_bytes: "maxBytes", max_frame: "maxFrame", max_meta: "maxMeta", digests: "digests", kind: "kind", types: "types" };

function open({ role, name = "object", value, options = {} }) {
  const own = Object.fromEntries(Object.entries(options).map(([key, option]) => {
    assert.ok(key in OPTIONS, `the option ${key} is known`);
    return [OPTIONS[key], option];
  }));
  if (role === "requester") return new Receiver({ ...own, name });
  if (role === "receiver") return new Receiver(own);
  return role === "sender" ? Sender.push(name, parse(value), own) : new Sender(() => parse(value), own);
}

function* portions(lines, size) {
  for (const line of lines) {
    for (let at = 0; at < line.length; at += size) yield line.subarray(at, at + size);
  }
}

function play(vector, lines, size) {
  const end = open(vector);
  const said = [end.start()];
  for (const portion of portions(lines, size)) said.push(end.feed(portion));
  if (vector.eof) said.push(end.eof());
  const [verdict, result] = end.outcome() ?? ["unfinished"];
  return { outcome: { [verdict]: verdict === "delivered" ? format(result) : result }, answer: answerOf(Buffer.concat(said)) };
}

function expectation({ expected, answer }) {
  return { outcome: "delivered" in expected ? { delivered: format(parse(expected.delivered)) } : expected, answer };
}

for (const group of ["accept", "reject"]) {
  describe(group, () => {
    for (const title of readdirSync(`${SPEC}vectors/${group}`)) {
      const folder = `${SPEC}vectors/${group}/${title}/`;
      const vector = JSON.parse(readFileSync(`${folder}vector.json`, "utf-8"));
      const lines = readFileSync(`${folder}input.hex`, "utf-8").split("\n").map((line) => line.replace(/#.*/, "").replace(/\s/g, ""))
        .filter((line) => line !== "").map((line) => Buffer.from(line, "hex"));
      const total = lines.reduce((sum, line) => sum + line.length, 0);
      test(title, () => {
        for (const size of [Infinity, 1, 7].slice(0, total > 200000 ? 1 : 3)) {
          assert.deepEqual(play(vector, lines, size), expectation(vector), `in portions of ${size}`);
        }
      });
    }
  });
}
