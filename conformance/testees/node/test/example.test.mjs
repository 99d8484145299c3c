// Chapter 19, byte for byte: its listings are read from the chapter, our frames come from the sessions.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Dict } from "../containers.mjs";
import { PREFACE } from "../frames.mjs";
import { Receiver } from "../receiver.mjs";
import { Sender } from "../sender.mjs";
import { NDArray } from "../values.mjs";
import { converse, SPEC } from "./helpers.mjs";
import { format } from "./notation.mjs";

const model = () => new Dict([
  ["a", 1n],
  ["w", new NDArray("F32", [2n, 2n], Buffer.from("0000803f00000040000040400000" + "00bf", "hex"))],
]);

function listings() {
  const chapter = readFileSync(`${SPEC}19-example.md`, "utf-8");
  const frames = {};
  for (const [, name, body] of chapter.matchAll(/```osp (\w+)\n([\s\S]*?)```/g)) {
    const digits = body.split("\n").map((line) => /^ *\d+ {2}((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: |$)/.exec(line)?.[1] ?? "");
    frames[name] = Buffer.from(digits.join("").replaceAll(" ", ""), "hex");
  }
  return frames;
}

for (const portion of [Infinity, 1]) {
  test(`the example in portions of ${portion}`, () => {
    const { REQUEST, OPEN, ENTRIES, DATA, END, DONE } = listings();
    const owner = new Sender((kind, name) => {
      assert.deepEqual([kind, name], ["container", "model"]);
      return model();
    }, { inline: 0 });
    const requester = new Receiver({ name: "model", maxBytes: 1 << 20, window: 16384, maxFrame: 65536 });
    const [owned, requested] = converse(owner, requester, portion);
    assert.equal(requested.toString("hex"), Buffer.concat([PREFACE, REQUEST, DONE]).toString("hex"));
    assert.equal(owned.toString("hex"), Buffer.concat([PREFACE, OPEN, ENTRIES, DATA, END]).toString("hex"));
    assert.deepEqual(owner.outcome(), ["delivered", null]);
    assert.deepEqual(format(requester.outcome()[1]), format(model()));
  });
}
