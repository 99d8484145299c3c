// The closed set of codes (chapter 14) and the exception that carries one.

export const CODES = {
  PROTOCOL: 1, VERSION: 2, DIGEST: 3, NOT_FOUND: 4, REFUSED: 5, UNSUPPORTED: 6, TOO_LARGE: 7, CORRUPT: 8,
  SOURCE_CHANGED: 9, SOURCE_FAILED: 10, STORE_FAILED: 11, CANCELLED: 12, STALLED: 13, LOST: 14, UNCONFIRMED: 15,
  MISMATCH: 16, BUSY: 17,
};

const NAMES = new Map(Object.entries(CODES).map(([name, number]) => [BigInt(number), name]));

export const codeName = (number) => NAMES.get(number);

export class Fault extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export const protocol = (message) => new Fault("PROTOCOL", message);
export const tooLarge = (message) => new Fault("TOO_LARGE", message);
