import { getSystemErrorName } from "node:util";
import type { Connection, ConnectionEvents } from "./connection.ts";
import type { ReadBuffers } from "./read-buffers.ts";
import type { Name, TcpBindings, TcpHandle } from "./tcp-bindings.ts";

type Listeners = { [Event in keyof ConnectionEvents]: ConnectionEvents[Event][] | undefined };

/** All of one shape: to add what is not there takes the engine longer than to replace it. */
const noListeners: Listeners = {
  connect: undefined,
  data: undefined,
  drain: undefined,
  end: undefined,
  error: undefined,
  close: undefined,
};
/** Nobody asks for these names. */
const unusedName: Partial<Name> = {};

/** What all connections of one proxy share. */
export interface RawParts {
  bindings: TcpBindings;
  buffers: ReadBuffers;
}

/**
 * A connection without the streams that `net.Socket` is made of. What it says is read into the buffer of
 * all, and copied; while it says much, into one that is lent to it, and not copied.
 */
export class RawConnection implements Connection {
  bytesRead = 0;
  bytesWritten = 0;
  readableEnded = false;
  destroyed = false;
  readonly #bindings: TcpBindings;
  readonly #buffers: ReadBuffers;
  readonly #handle: TcpHandle;
  readonly #listeners: Listeners = { ...noListeners };
  #buffer: Buffer;
  #isConnected = true;
  #isReading = false;
  /** How many writes the kernel has not taken as a whole. */
  #waiting = 0;
  #isEnding = false;
  #isSureOfEnd = false;
  #hasSaidEnd = false;

  private constructor(handle: TcpHandle, { bindings, buffers }: RawParts) {
    this.#bindings = bindings;
    this.#buffers = buffers;
    this.#handle = handle;
    this.#buffer = buffers.shared;
    handle.useUserBuffer(this.#buffer);
    handle.onread = () => this.#read();
  }

  static accepted(handle: TcpHandle, parts: RawParts): RawConnection {
    return new RawConnection(handle, parts);
  }

  /** @param to an address, no name */
  static connecting(to: { host: string; port: number }, parts: RawParts): RawConnection {
    const { bindings } = parts;
    const connection = new RawConnection(bindings.open(), parts);
    connection.#isConnected = false;
    const done = (status: number) => connection.#connected(status);
    const status = bindings.connect(connection.#handle, to.host, to.port, done);
    if (status < 0) connection.#fail("connect", status);
    return connection;
  }

  on<Event extends keyof ConnectionEvents>(event: Event, listener: ConnectionEvents[Event]): this {
    const listeners = this.#listeners[event];
    if (listeners) listeners.push(listener);
    else this.#listeners[event] = [listener] as Listeners[Event];
    return this;
  }

  get writableLength(): number {
    return this.#waiting === 0 || this.destroyed ? 0 : this.#handle.writeQueueSize;
  }

  get remoteAddress(): string | undefined {
    return this.#name("getpeername").address;
  }

  get remotePort(): number | undefined {
    return this.#name("getpeername").port;
  }

  get localAddress(): string | undefined {
    return this.#name("getsockname").address;
  }

  get localPort(): number | undefined {
    return this.#name("getsockname").port;
  }

  write(bytes: Uint8Array): boolean {
    if (this.destroyed || this.#isEnding) return false;
    const status = this.#bindings.write(this.#handle, bytes, this.#written);
    if (status < 0) {
      this.#fail("write", status);
      return false;
    }
    this.bytesWritten += bytes.length;
    if (status === 0) this.#waiting++;
    return status !== 0;
  }

  end(): void {
    if (this.destroyed || this.#isEnding) return;
    this.#isEnding = true;
    const status = this.#bindings.shutdown(this.#handle, this.#saidEnd);
    if (status !== 0) this.#saidEnd(status);
  }

  isPaused(): boolean {
    return !this.#isReading;
  }

  pause(): void {
    if (this.destroyed || !this.#isReading) return;
    this.#isReading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.destroyed || this.#isReading || this.readableEnded) return;
    this.#isReading = true;
    const status = this.#handle.readStart();
    if (status < 0) this.#fail("read", status);
  }

  destroy(error?: Error): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#handle.close(() => this.#closed(error));
  }

  resetAndDestroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    const closed = () => this.#closed(undefined);
    if (!this.#isConnected || this.#handle.reset(closed) !== 0) this.#handle.close(closed);
  }

  #connected(status: number): void {
    if (this.destroyed) return;
    if (status < 0) return void this.#fail("connect", status);
    this.#isConnected = true;
    this.#handle.setNoDelay(true);
    for (const listener of this.#listeners.connect ?? []) listener();
  }

  /** @returns what to read into next */
  #read(): Buffer | undefined {
    const count = this.#bindings.readCount();
    if (count > 0) return this.#take(count);
    if (count === 0 || this.destroyed) return undefined;
    if (getSystemErrorName(count) === "EOF") this.#hearEnd();
    else this.#fail("read", count);
    return undefined;
  }

  #take(count: number): Buffer {
    const buffer = this.#buffer;
    const isShared = buffer === this.#buffers.shared;
    const isFull = count === buffer.length;
    const part = buffer.subarray(0, count);
    this.bytesRead += count;
    const chunk = isShared ? Buffer.from(part) : part;
    for (const listener of this.#listeners.data ?? []) listener(chunk);
    if (this.destroyed) return buffer;
    if (isShared && isFull) this.#buffer = this.#buffers.borrow() ?? buffer;
    // Who has paused has not taken all of it yet.
    if (!isShared && !isFull && this.#isReading) {
      this.#buffers.giveBack(buffer);
      this.#buffer = this.#buffers.shared;
    }
    return this.#buffer;
  }

  /**
   * libuv says it of one that was reset, too, when that had said something just before. Then its name is
   * gone, as when both sides have ended: the next read tells.
   */
  #hearEnd(): void {
    if (this.#isSureOfEnd || this.#handle.getpeername(unusedName) === 0) {
      this.#end();
      return;
    }
    this.#isSureOfEnd = true;
    const status = this.#handle.readStart();
    if (status < 0) this.#fail("read", status);
  }

  #end(): void {
    this.readableEnded = true;
    for (const listener of this.#listeners.end ?? []) listener();
    if (this.#hasSaidEnd) this.destroy();
  }

  readonly #written = (status: number): void => {
    this.#waiting--;
    if (this.destroyed) return;
    if (status < 0) return void this.#fail("write", status);
    if (this.#waiting > 0) return;
    for (const listener of this.#listeners.drain ?? []) listener();
  };

  readonly #saidEnd = (status: number): void => {
    if (this.destroyed) return;
    this.#hasSaidEnd = true;
    const isGone = status < 0 && getSystemErrorName(status) === "ENOTCONN";
    if (status < 0 && !isGone) return void this.#fail("shutdown", status);
    if (this.readableEnded) this.destroy();
  };

  #fail(call: string, status: number): void {
    const code = getSystemErrorName(status);
    this.destroy(
      Object.assign(new Error(`${call} ${code}`), { code, errno: status, syscall: call }),
    );
  }

  #closed(error: Error | undefined): void {
    if (this.#buffer !== this.#buffers.shared) {
      // Who has paused may still be writing from it.
      if (this.#isReading || this.readableEnded) this.#buffers.giveBack(this.#buffer);
      else this.#buffers.forget();
    }
    if (error) for (const listener of this.#listeners.error ?? []) listener(error);
    for (const listener of this.#listeners.close ?? []) listener(error !== undefined);
  }

  #name(of: "getpeername" | "getsockname"): Partial<Name> {
    const name: Partial<Name> = {};
    if (!this.destroyed) this.#handle[of](name);
    return name;
  }
}
