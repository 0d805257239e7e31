import type { IncomingHttpHeaders } from "node:http";
import { bodyOf, serve } from "../../base/local-server.fake.ts";
import type { RegistryEvent } from "./event.ts";

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  event: RegistryEvent;
}

/** What a receiver answers: a status, with headers, or nothing at all. */
export type Reply = number | { status: number; headers: Record<string, string> } | "silence";

/** An endpoint that remembers what it was sent, for the length of one test. */
export async function openReceiver(reply: (received: Received) => Reply = () => 200) {
  const all: Received[] = [];
  const { url, server } = await serve((request, response) => {
    void bodyOf(request).then((bytes) => {
      const body = bytes.toString();
      const { events } = JSON.parse(body) as { events: [RegistryEvent] };
      const received = { headers: request.headers, body, event: events[0] };
      all.push(received);
      const answer = reply(received);
      if (answer === "silence") return;
      const { status, headers } =
        typeof answer === "number" ? { status: answer, headers: {} } : answer;
      response.writeHead(status, headers).end();
    });
  });
  return { url: url.href, server, all, ids: () => all.map(({ event }) => event.id) };
}
