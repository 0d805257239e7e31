import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { partInOrder } from "./server-parting.ts";

it("takes some of what comes behind a last answer, and not requests without an end", async () => {
  const server = createServer();
  const parting = partInOrder(server, systemClock);
  server.on("connection", parting);
  let seen = 0;
  server.on("request", (_request, response) => {
    if (seen++ === 0) response.writeHead(401, { connection: "close" }).end("no");
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {}); // it is cut off
  let answers = "";
  client.on("data", (bytes) => {
    answers += bytes;
  });

  const ended = new Promise((resolve) => client.once("close", resolve));
  const requests = "GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100);
  const goOn = () => {
    while (!client.destroyed && seen < 100_000) {
      if (!client.write(requests)) return void client.once("drain", goOn);
    }
    client.destroy();
  };
  client.write("GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n");
  client.once("data", goOn);
  await ended;

  expect(answers).toContain("401 Unauthorized");
  expect(seen).toBeLessThan(10_000);
});
