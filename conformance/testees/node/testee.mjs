// Drives ends of sessions for a suite, over standard input and output; ../README.md describes the messages.

import { ByteQueue } from "./bytes.mjs";
import { Connection } from "./connection.mjs";
import { Decoder } from "./decode.mjs";
import { content, frames } from "./encode.mjs";
import { DATA, ENTRIES } from "./frames.mjs";
import { File, kindOf } from "./objects.mjs";
import { Receiver } from "./receiver.mjs";
import { Sender } from "./sender.mjs";
import { DEFAULTS } from "./session.mjs";

const PIECE = 1 << 20;

class Unsupported extends Error {}

// ---- values: {"kind": ..., "content": [[type, base64], ...]} ----

function toMessage(object) {
  if (object === null) return null;
  const pieces = [...frames(content(object, "value"), PIECE)];
  return { kind: kindOf(object), content: pieces.map(({ type, bytes }) => [type, Buffer.from(bytes).toString("base64")]) };
}

/** A value may have application types that no session has registered: their sender has to refuse them. */
function fromMessage({ kind, content: pieces }) {
  const read = pieces.map(([type, data]) => [type, Buffer.from(data, "base64")]);
  if (kind === "file") return new File(Buffer.concat(read.map(([, data]) => data)));
  const decoder = new Decoder(kind, { ...DEFAULTS, types: { has: () => true } });
  for (const [type, data] of read) {
    if (type === DATA && data.length <= decoder.expected) decoder.data(data);
    else if (type === ENTRIES && decoder.expected === 0) decoder.entries(data, BigInt(DEFAULTS.maxBytes));
    else throw new TypeError("a piece of the value is out of place");
  }
  if (!decoder.complete) throw new TypeError("the value is incomplete");
  return decoder.object;
}

// ---- options: as in spec/vectors/README.md, and a few more ----

const never = () => {
  throw new Error("as the suite has asked");
};
const NAMES = {
  max_bytes: "maxBytes", max_frame: "maxFrame", max_meta: "maxMeta", max_inline: "maxInline", max_items: "maxItems",
  max_depth: "maxDepth", max_name: "maxName", max_skipped: "maxSkipped", max_controls: "maxControls", digests: "digests",
  kind: "kind", types: "types", chunk: "chunk", window: "window", deadline: "deadline", inline: "inline",
};

function optionsOf(given = {}) {
  const options = {};
  for (const [name, value] of Object.entries(given)) {
    if ((name === "accept" || name === "store") && typeof value === "boolean") Object.assign(options, value ? {} : { [name]: never });
    else if (Object.hasOwn(NAMES, name)) options[NAMES[name]] = value;
    else throw new Unsupported(name);
  }
  return options;
}

// ---- operations ----

const ends = new Map();
let opened = 0;

function open({ role, name, value, options: given }) {
  const options = optionsOf(given);
  switch (role) {
    case "requester": return new Receiver({ ...options, name });
    case "receiver": return new Connection(() => new Receiver(options));
  }
  const object = value == null ? undefined : fromMessage(value);
  if (role === "sender") return Sender.push(name, object, options);
  if (role !== "owner") throw new Unsupported(role);
  return new Connection(() => new Sender((kind, asked) => (asked === name ? object : undefined), options));
}

function end(id) {
  if (!ends.has(id)) throw new RangeError(`no end ${id}`);
  return ends.get(id);
}

const reply = (bytes) => ({ data: bytes.toString("base64") });

const OPERATIONS = {
  describe: () => ({
    name: "objstream-node", version: "1.0", roles: ["owner", "requester", "sender", "receiver"],
    capabilities: ["container", "file", "numpy", "tensors", "registry", "wire", "cancel", "unlisted"],
  }),
  open(message) {
    ends.set(++opened, open(message));
    return { id: opened };
  },
  start: ({ id }) => reply(end(id).start()),
  feed: ({ id, data }) => reply(end(id).feed(Buffer.from(data, "base64"))),
  eof: ({ id }) => reply(end(id).eof()),
  advance: ({ id, seconds }) => reply(end(id).advance(seconds)),
  cancel: ({ id }) => reply(end(id).cancel()),
  outcome({ id }) {
    const outcome = end(id).outcome();
    if (outcome?.[0] === "failed") return [...outcome, end(id).error.message];
    return outcome && ["delivered", toMessage(outcome[1])];
  },
  close: ({ id }) => (ends.delete(id), {}),
};

function answer(body) {
  try {
    const message = JSON.parse(body.toString("utf-8"));
    if (!Object.hasOwn(OPERATIONS, message.op)) return { unsupported: true };
    return OPERATIONS[message.op](message);
  } catch (error) {
    return error instanceof Unsupported ? { unsupported: true } : { crash: `${error.stack ?? error}` };
  }
}

function write(message) {
  const body = Buffer.from(JSON.stringify(message), "utf-8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  process.stdout.write(Buffer.concat([length, body]));
}

const input = new ByteQueue();
let expected = null;
for await (const chunk of process.stdin) {
  input.push(chunk);
  for (;;) {
    expected ??= input.take(4)?.readUInt32BE() ?? null;
    const body = expected === null ? null : input.take(expected);
    if (body === null) break;
    expected = null;
    write(answer(body));
  }
}
