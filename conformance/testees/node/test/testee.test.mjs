import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../testee.mjs", import.meta.url));

/** Sends all messages at once, cut into portions of three bytes, and returns the answers. */
async function ask(messages) {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const framed = messages.map((message) => {
    const body = Buffer.from(JSON.stringify(message));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  });
  child.stdin.end(Buffer.concat(framed));
  const closed = once(child, "close");
  const parts = [];
  for await (const part of child.stdout) parts.push(part);
  assert.deepEqual(await closed, [0, null]);
  const answers = [];
  for (let rest = Buffer.concat(parts); rest.length > 0; rest = rest.subarray(4 + rest.readUInt32BE())) {
    answers.push(JSON.parse(rest.subarray(4, 4 + rest.readUInt32BE()).toString("utf-8")));
  }
  return answers;
}

test("a pull in which the suite carries the bytes", async () => {
  const value = { kind: "list", content: [[4, Buffer.from("01d81b8269627974656172726179" + "03", "hex").toString("base64")], [5, "AAEC"]] };
  const begin = [
    { op: "open", role: "owner", name: "object", value, options: { chunk: 2 } },
    { op: "open", role: "requester", name: "object", options: { max_frame: 65536 } },
    { op: "start", id: 1 },
    { op: "start", id: 2 },
  ];
  const [, , owned, requested] = await ask(begin);
  const [content] = (await ask([...begin, { op: "feed", id: 1, data: requested.data }])).slice(4);
  const [, done, delivered] = (await ask([
    ...begin, { op: "feed", id: 2, data: owned.data }, { op: "feed", id: 2, data: content.data }, { op: "outcome", id: 2 },
  ])).slice(4);
  assert.equal(delivered[0], "delivered");
  assert.equal(delivered[1].kind, "list");
  const answers = await ask([
    ...begin, { op: "feed", id: 1, data: requested.data }, { op: "outcome", id: 1 }, { op: "feed", id: 1, data: done.data },
    { op: "outcome", id: 1 }, { op: "close", id: 1 }, { op: "eof", id: 2 }, { op: "outcome", id: 2 },
  ]);
  assert.deepEqual(answers.slice(5), [null, { data: "" }, ["delivered", null], {}, { data: "" }, ["failed", "LOST", "the connection ended inside the session"]]);
});

test("a cancel, and a value that cannot be carried", async () => {
  const content = Buffer.from("d81b83" + "63617070" + "6a66756e6374696f6e4030" + "6378797a", "hex").toString("base64");
  const value = { kind: "list", content: [[4, content]] };
  const [, , refused, , , cancelled] = await ask([
    { op: "open", role: "sender", name: "object", value, options: {} }, { op: "start", id: 1 }, { op: "outcome", id: 1 },
    { op: "open", role: "requester", name: "object", options: {} }, { op: "start", id: 2 }, { op: "cancel", id: 2 },
    { op: "outcome", id: 2 },
  ]);
  assert.deepEqual(refused, ["failed", "UNSUPPORTED", "object[0]: a value of type function@0, which is not registered"]);
  assert.equal(Buffer.from(cancelled.data, "base64")[0], 9);
});

test("what is not on offer, and what is a crash", async () => {
  const [described, operation, option, role, crash] = await ask([
    { op: "describe" }, { op: "dance" }, { op: "open", role: "requester", name: "x", options: { colour: 1 } },
    { op: "open", role: "witness", name: "x" }, { op: "feed", id: 9, data: "" },
  ]);
  assert.deepEqual([operation, option, role], [{ unsupported: true }, { unsupported: true }, { unsupported: true }]);
  assert.ok(described.capabilities.includes("wire"));
  assert.match(crash.crash, /no end 9/);
});
