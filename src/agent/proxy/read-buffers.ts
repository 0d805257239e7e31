/** Most reads fit in, and are copied out of it. */
const sharedBytes = 64 * 1024;
const ownBytes = 256 * 1024;
/** Together 8 MiB. Who gets none goes on with the shared one. */
const mostOwn = 32;

/**
 * What backends say is read into. One buffer is shared by all who say little: what is read there is
 * copied before the next read, whoever's that is. Who says much is lent one of its own, and copies
 * nothing. So no connection has memory of its own while it is silent.
 */
export class ReadBuffers {
  readonly shared: Buffer = Buffer.allocUnsafeSlow(sharedBytes);
  readonly #free: Buffer[] = [];
  #lent = 0;

  /** @returns `undefined` when all are lent */
  borrow(): Buffer | undefined {
    if (this.#lent >= mostOwn) return undefined;
    this.#lent++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(ownBytes);
  }

  giveBack(buffer: Buffer): void {
    this.#lent--;
    this.#free.push(buffer);
  }

  /** As `giveBack`, of one that the kernel may still read from. */
  forget(): void {
    this.#lent--;
  }
}
