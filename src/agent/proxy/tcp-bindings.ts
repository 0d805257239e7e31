import { isIPv6 } from "node:net";

/**
 * A TCP handle of libuv's, as Node's own `net` uses it. What its methods return is 0, or an error of the
 * system's below 0.
 */
export interface TcpHandle {
  readonly fd: number;
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** Returns the buffer to read into from now on, or `undefined` for the same. */
  onread: () => Buffer | undefined;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  close(closed: () => void): void;
  /** As `close`, with a reset. */
  reset(closed: () => void): number;
  setNoDelay(isOn: boolean): number;
  setKeepAlive(isOn: boolean, seconds: number): number;
  getpeername(into: Partial<Name>): number;
  getsockname(into: Partial<Name>): number;
}

export interface Name {
  address: string;
  port: number;
}

export interface ListeningHandle extends TcpHandle {
  onconnection: (status: number, client: TcpHandle | undefined) => void;
}

/** Is told 0, or an error below 0. */
type Done = (status: number) => void;

/** Each returns 0 when `done` is called later, 1 when all is done already, or an error below 0. */
export interface TcpBindings {
  open(): TcpHandle;
  connect(handle: TcpHandle, host: string, port: number, done: Done): number;
  write(handle: TcpHandle, bytes: Uint8Array, done: Done): number;
  /** Once what was written before is with the kernel. */
  shutdown(handle: TcpHandle, done: Done): number;
  /** Of the read that `onread` is called for: bytes, or an error below 0. */
  readCount(): number;
}

interface Request {
  oncomplete?: Done;
  /** What is written lives until it is. */
  bytes?: Uint8Array;
}

interface RequestingHandle extends TcpHandle {
  connect(request: Request, address: string, port: number): number;
  connect6(request: Request, address: string, port: number): number;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  shutdown(request: Request): number;
}

interface TcpWrap {
  TCP: new (kind: number) => RequestingHandle;
  TCPConnectWrap: new () => Request;
  constants: { SOCKET: number };
}

interface StreamWrap {
  WriteWrap: new () => Request;
  ShutdownWrap: new () => Request;
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
}

/**
 * What `net` is made of: `tcp_wrap` and `stream_wrap` of Node. A socket of `net` costs more than all the
 * rest of a short connection, see decision 28. `undefined` for a Node that keeps them for itself.
 */
export const tcpBindings: TcpBindings | undefined = openBindings();

function openBindings(): TcpBindings | undefined {
  const wraps = readWraps();
  if (!wraps) return undefined;
  const { TCP, TCPConnectWrap, constants } = wraps.tcp;
  const { WriteWrap, ShutdownWrap, streamBaseState: state } = wraps.stream;
  const { kReadBytesOrError, kLastWriteWasAsync } = wraps.stream;
  /** Is not used up by a write that is done at once. */
  let spare = new WriteWrap();
  return {
    open: () => new TCP(constants.SOCKET),

    connect(handle, host, port, done) {
      const request = Object.assign(new TCPConnectWrap(), { oncomplete: done });
      const { connect, connect6 } = handle as RequestingHandle;
      return (isIPv6(host) ? connect6 : connect).call(handle, request, host, port);
    },

    write(handle, bytes, done) {
      const request = spare;
      const status = (handle as RequestingHandle).writeBuffer(request, bytes);
      if (status !== 0) return status;
      if (state[kLastWriteWasAsync] === 0) return 1;
      spare = new WriteWrap();
      request.bytes = bytes;
      request.oncomplete = done;
      return 0;
    },

    shutdown(handle, done) {
      const request = Object.assign(new ShutdownWrap(), { oncomplete: done });
      return (handle as RequestingHandle).shutdown(request);
    },

    readCount: () => state[kReadBytesOrError] ?? 0,
  };
}

function readWraps(): { tcp: TcpWrap; stream: StreamWrap } | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): unknown };
    const tcp = binding("tcp_wrap") as TcpWrap;
    const stream = binding("stream_wrap") as StreamWrap;
    return isWhole(tcp, stream) ? { tcp, stream } : undefined;
  } catch {
    return undefined; // as the Node says that has none, or does not allow it
  }
}

function isWhole(tcp: TcpWrap, stream: StreamWrap): boolean {
  const classes = [tcp.TCP, tcp.TCPConnectWrap, stream.WriteWrap, stream.ShutdownWrap];
  const numbers = [tcp.constants.SOCKET, stream.kReadBytesOrError, stream.kLastWriteWasAsync];
  const { prototype } = tcp.TCP as unknown as { prototype: Record<string, unknown> };
  const methods = ["useUserBuffer", "readStart", "writeBuffer", "shutdown", "reset", "connect6"];
  return (
    classes.every((one) => typeof one === "function") &&
    numbers.every((one) => typeof one === "number") &&
    methods.every((name) => typeof prototype[name] === "function") &&
    ArrayBuffer.isView(stream.streamBaseState)
  );
}
