import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of this process, on 127.0.0.1. */
export interface Served {
  port: number;
  close(): Promise<void>;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, target: URL) => void;

export async function serve(answer: Answer): Promise<Served> {
  const server = createServer((request, response) => {
    const { host = "" } = request.headers;
    answer(request, response, new URL(request.url ?? "/", `http://${host}`));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
