// What sender and receiver have in common: bytes in, bytes out, numbering, time, and the two ways to end (chapter 7).

import { CODES, codeName, Fault } from "./errors.mjs";
import { CODE, encodeFrame, FrameReader, MESSAGE, PREFACE, RESET } from "./frames.mjs";

export const DEFAULTS = {
  deadline: 60, chunk: 1 << 20, window: 1 << 24, digests: ["sha-256"], versions: [1n], types: [],
  maxBytes: 1 << 30, maxFrame: 1 << 24, maxMeta: 4096, maxInline: 65536, maxItems: 2 ** 28, maxDepth: 128, maxName: 1024,
  maxSkipped: 1024, maxControls: 1024,
};
const TRICKLE = 4096;
const MAX_MESSAGE = 512;

/** A text cut to 512 bytes of UTF-8, at the end of a character. */
export function cut(message) {
  const bytes = Buffer.from(message, "utf-8");
  if (bytes.length <= MAX_MESSAGE) return bytes.toString("utf-8");
  let end = MAX_MESSAGE;
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return bytes.toString("utf-8", 0, end);
}

/** A text of the peer as people may see it (OSP-SEC-012). */
const shown = (text) =>
  text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);

export class Session {
  #reader;
  #out = [];
  #sent = 0n;
  #now = 0;
  #progress = 0;
  #trickle = 0;
  #result = null;
  error = null;
  state = "IDLE";

  constructor(options) {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    this.options = { ...DEFAULTS, ...Object.fromEntries(given) };
    this.#reader = new FrameReader(this.options);
  }

  // ---- for the engine: all of them return the bytes to send now ----

  start() {
    this.#out.push(PREFACE);
    this.progress();
    return this.#act(() => this.begin());
  }

  feed(data) {
    if (this.#result !== null) return Buffer.alloc(0);
    this.#reader.push(data);
    return this.#act(() => this.#read());
  }

  eof() {
    return this.#act(() => this.fail("LOST", "the connection ended inside the session", { tell: false }));
  }

  advance(seconds) {
    this.#now += seconds;
    const late = this.#now - this.#progress >= this.options.deadline;
    return this.#act(() => late && this.fail("STALLED", "no progress within the deadline"));
  }

  cancel() {
    return this.#act(() => this.fail("CANCELLED", "the application gave up"));
  }

  /** What has been fed after the end of a delivered session, and belongs to the next one. */
  rest() {
    return this.state === "DELIVERED" ? this.#reader.rest() : Buffer.alloc(0);
  }

  /** null while the session goes on, else `["delivered", value]` or `["failed", name of the code]`. */
  outcome() {
    return this.#result;
  }

  #act(action) {
    if (this.#result === null) {
      try {
        action();
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        this.fail(error.code, error.message);
      }
    }
    return Buffer.concat(this.#out.splice(0));
  }

  #read() {
    for (let step; this.#result === null && (step = this.#reader.next()) !== null; ) {
      if (step.step === "part") this.#part(step.length);
      else if (step.step === "skipped") this.progress();
      else if (step.step === "data") this.#complete(step);
      else if (step.type === RESET) this.#reset(step.meta);
      else {
        this.onFrame(step);
        if (step.length === 0) this.#complete(step);
      }
    }
  }

  #part(length) {
    this.#trickle += length;
    if (this.#trickle >= TRICKLE) this.progress();
  }

  #complete(step) {
    if (this.onComplete(step) !== false) this.progress();
  }

  #reset(meta) {
    const name = codeName(meta.get(CODE));
    const message = name === undefined ? `unknown code ${meta.get(CODE)}: ${meta.get(MESSAGE)}` : meta.get(MESSAGE);
    this.#end(name ?? "PROTOCOL", shown(cut(message)), "peer");
  }

  // ---- for the roles: `begin`, `onFrame` (header and meta are there), `onComplete` (false if it is no progress) ----

  progress() {
    this.#progress = this.#now;
    this.#trickle = 0;
  }

  send(type, meta, data) {
    this.#out.push(encodeFrame(type, this.#sent++, meta, data));
  }

  deliver(value) {
    this.state = "DELIVERED";
    this.#result = ["delivered", value];
  }

  /** The code that is reported in place of `code`; a sender that has sent END has only one. */
  codeFor(code) {
    return code;
  }

  fail(code, message, { tell = true } = {}) {
    const reported = this.codeFor(code);
    const text = reported === code ? message : `${code}: ${message}`;
    const begun = this.#sent > 0n || this.#reader.heard;
    if (tell && begun) this.send(RESET, { [CODE]: BigInt(CODES[reported]), [MESSAGE]: cut(text) });
    this.#end(reported, text, "local");
  }

  #end(code, message, origin) {
    this.state = "FAILED";
    this.error = { code, message, origin };
    this.#result = ["failed", code];
    this.release();
  }

  release() {}
}
