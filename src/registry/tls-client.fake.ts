import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { get } from "node:https";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";

/** What comes back from one request over HTTP/1.1, and the certificate it was given under. */
export interface TlsAnswer {
  status: number | undefined;
  body: string;
  serialNumber: string;
  protocol: string | null;
}

/** Asks on a connection of its own. Rejects when the server does not want us. */
export function ask(url: string, options: ConnectionOptions): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ...options, agent: false }, (response) => {
      const socket = response.socket as TLSSocket;
      const { serialNumber } = socket.getPeerCertificate();
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.once("end", () =>
        resolve({
          status: response.statusCode,
          body,
          serialNumber,
          protocol: socket.getProtocol(),
        }),
      );
    });
    request.once("error", reject);
  });
}

/** The protocol that the server chooses of those we offer. */
export function negotiated(
  url: string,
  options: ConnectionOptions,
): Promise<string | false | null> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), ...options }, () => {
      resolve(socket.alpnProtocol);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

export function openSession(url: string, ca: string): ClientHttp2Session {
  const session = connectHttp2(url, { ca });
  session.on("error", () => {}); // told by the requests
  onTestFinished(() => session.destroy());
  return session;
}

export interface Http2Answer {
  status: number | undefined;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** One request over HTTP/2. */
export function askHttp2(
  session: ClientHttp2Session,
  headers: Record<string, string | number>,
  body?: Uint8Array,
): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const chunks: Buffer[] = [];
    let answered: Record<string, string | string[] | undefined> = {};
    stream.once("response", ({ ":status": status, ...rest }) => {
      answered = { ...(rest as typeof answered), ":status": String(status) };
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("error", reject);
    stream.once("end", () =>
      resolve({
        status: Number(answered[":status"]),
        headers: answered,
        body: Buffer.concat(chunks),
      }),
    );
    if (body !== undefined) stream.end(body);
  });
}
