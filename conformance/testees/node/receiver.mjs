// The receiver of a pull (requester) or of a push: the state table of section 7.4.

import { Decoder } from "./decode.mjs";
import { Fault, protocol, tooLarge } from "./errors.mjs";
import {
  ATTRIBUTES, CHAIN, COUNT, CREDIT, CREDIT_TO, DATA, DIGEST, DIGESTS, DONE, END, ENTRIES, isContent, KIND, MAX_BYTES,
  MAX_FRAME, NAME, NAMES, OFFER, OPEN, REQUEST, RESUME, SIZE, VERSIONS,
} from "./frames.mjs";
import { Chain } from "./integrity.mjs";
import { CONTAINERS, File, isKind } from "./objects.mjs";
import { Session } from "./session.mjs";

/** Takes the content of a file; here into memory. */
class FileSink {
  #parts = [];
  count = 0n;
  complete = true;

  data(bytes) {
    this.#parts.push(Buffer.from(bytes));
  }

  get object() {
    return new File(Buffer.concat(this.#parts));
  }
}

export class Receiver extends Session {
  #received = 0n;
  #granted = 0n;
  #sink = null;

  /**
   * With a name, the end of a pull of `kind` (a namespace); without one, the end of a push.
   * `accept({name, kind, size, count, attributes})` decides about an offer by throwing a Fault or not;
   * `store(object)` keeps the object and throws if it cannot.
   */
  constructor({ name, kind = "container", accept = () => {}, store = () => {}, ...options } = {}) {
    super(options);
    Object.assign(this, { name, kind, accept, store });
  }

  begin() {
    if (this.name !== undefined) this.#request();
  }

  release() {
    this.#sink = null;
  }

  #request() {
    const { versions, digests, maxBytes, maxFrame, window } = this.options;
    this.#granted = BigInt(window);
    this.state = "REQUESTED";
    this.send(REQUEST, {
      [VERSIONS]: versions, [DIGESTS]: digests, [NAME]: this.name, [KIND]: this.kind, [MAX_BYTES]: BigInt(maxBytes),
      [CREDIT_TO]: this.#granted, [MAX_FRAME]: BigInt(maxFrame),
    });
  }

  onFrame({ type, meta, length }) {
    const state = { [OFFER]: "IDLE", [OPEN]: "REQUESTED", [ENTRIES]: "RECEIVING", [DATA]: "RECEIVING", [END]: "RECEIVING" };
    if (state[type] !== this.state || (type === OFFER && this.name !== undefined)) {
      throw protocol(`${NAMES[type]} while ${this.state}`);
    }
    if (isContent(type)) this.#admit(type, meta, BigInt(length));
  }

  onComplete({ type, meta, data }) {
    if (type === OFFER) this.#offer(meta);
    else if (type === OPEN) this.#open(meta);
    else if (type === END) this.#end(meta);
    else this.#take(type, meta, data);
  }

  // ---- each frame, in the order of section 14.3 ----

  #offer(meta) {
    this.state = "OFFERED";
    const [name, kind, size] = [meta.get(NAME), meta.get(KIND), meta.get(SIZE)];
    if (Buffer.byteLength(name) > this.options.maxName) throw tooLarge("the name is too long");
    if (size > BigInt(this.options.maxBytes)) throw tooLarge(`${size} bytes are offered`);
    if (!isKind(kind)) throw new Fault("UNSUPPORTED", "an object of unknown kind is offered");
    this.#application("REFUSED", () =>
      this.accept({ name, kind, size, count: meta.get(COUNT), attributes: meta.get(ATTRIBUTES) }));
    Object.assign(this, { name, kind });
    this.#request();
  }

  #open(meta) {
    const { versions, digests, maxBytes } = this.options;
    const kind = meta.get(KIND);
    if (!versions.includes(meta.get(VERSIONS))) throw protocol("a version that was not offered");
    if (meta.has(RESUME)) throw protocol("a resume point that was not asked for");
    if (!digests.includes(meta.get(DIGESTS))) throw protocol("a digest that was not offered");
    if (this.kind === "container" ? !CONTAINERS.includes(kind) : kind !== this.kind) throw protocol("an object of another kind");
    this.size = meta.get(SIZE);
    if (this.size > BigInt(maxBytes)) throw tooLarge(`an object of ${this.size} bytes`);
    this.opened = { kind, count: meta.get(COUNT), attributes: meta.get(ATTRIBUTES) };
    this.hasDigest = meta.get(DIGESTS) !== "none";
    this.chain = new Chain(kind, meta.get(DIGESTS));
    this.#sink = kind === "file" ? new FileSink() : new Decoder(kind, this.options);
    this.state = "RECEIVING";
  }

  /** The checks of content that need its header and meta alone. */
  #admit(type, meta, length) {
    const after = this.#received + length;
    if (this.size !== undefined && after > this.size) throw protocol("more content than announced");
    if (this.size === undefined && after > BigInt(this.options.maxBytes)) throw tooLarge("more content than is taken");
    if (after > this.#granted) throw protocol("content beyond the credit");
    if (this.opened.kind === "file") {
      if (type === ENTRIES) throw protocol("ENTRIES of a file");
    } else if (type === ENTRIES) {
      if (this.#sink.expected > 0) throw protocol("ENTRIES inside a buffer");
    } else if (length > BigInt(this.#sink.expected)) {
      throw protocol("DATA beyond the buffer that is expected");
    }
    if (meta.has(DIGEST) !== this.hasDigest) throw protocol("a digest where there is none, or none where there is one");
  }

  #take(type, meta, data) {
    this.#received += BigInt(data.length);
    const digest = this.chain.add(type, data);
    if (this.hasDigest && !digest.equals(meta.get(DIGEST))) throw new Fault("CORRUPT", "a digest that differs");
    if (type === DATA) this.#sink.data(data);
    else this.#sink.entries(data, BigInt(this.options.maxBytes) - this.#received);
    this.#grant();
  }

  /** More credit when half of the window is used. */
  #grant() {
    const window = BigInt(this.options.window);
    if (2n * (this.#granted - this.#received) > window) return;
    this.#granted = this.#received + window;
    this.send(CREDIT, { [CREDIT_TO]: this.#granted });
  }

  #end(meta) {
    const corrupt = (what) => new Fault("CORRUPT", `${what} of END is not that of what arrived`);
    const [size, count] = [meta.get(SIZE), meta.get(COUNT)];
    this.state = "VERIFYING";
    if (!this.#sink.complete) throw protocol("END inside an item or a buffer");
    if (size !== this.#received || (this.size ?? size) !== size) throw corrupt("the size");
    if (count !== this.#sink.count || (this.opened.count ?? count) !== count) throw corrupt("the count");
    if (!this.chain.value.equals(meta.get(CHAIN))) throw corrupt("the chain");
    const object = this.#sink.object;
    this.#application("STORE_FAILED", () => this.store(object));
    this.send(DONE, { [CHAIN]: this.chain.value });
    this.deliver(object);
  }

  /** What the application's code throws is a failure with `code`, unless it is a Fault. */
  #application(code, work) {
    try {
      work();
    } catch (error) {
      throw error instanceof Fault ? error : new Fault(code, "the application did not take the object");
    }
  }
}
