import {
  createSecureServer,
  createServer,
  type Http2Server,
  type SecureServerOptions,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";
import { RegistryService } from "./grpc-schema.ts";

/** A server of `dewy.RegistryService` that answers what the test wants. */
export interface FakeGrpcRegistry {
  /** `127.0.0.1:PORT` */
  authority: string;
  answer: { id: string; tag: string; artifactUrl: string; createdAt?: Date };
  requests: { arch: string; os: string; arifactName: string | undefined }[];
  reports: { id: string; tag: string; command: string; err: string | undefined }[];
  refuse: { code: Code; headers?: Record<string, string> } | undefined;
  /** How many connections were made so far. */
  connections(): number;
  stop(): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
}

export async function serveFakeGrpcRegistry(
  secure?: SecureServerOptions,
): Promise<FakeGrpcRegistry> {
  const sessions = new Set<ServerHttp2Session>();
  let connections = 0;
  let port = 0;
  let server: Http2Server | undefined;
  const fake: FakeGrpcRegistry = {
    authority: "",
    answer: { id: "1", tag: "v1.0.0", artifactUrl: "https://a.test/app.tar.gz" },
    requests: [],
    reports: [],
    refuse: undefined,
    connections: () => connections,
    start,
    stop,
  };
  await start();
  onTestFinished(stop);
  return fake;

  async function start(): Promise<void> {
    const handler = connectNodeAdapter({ routes });
    const started = secure ? createSecureServer(secure, handler) : createServer(handler);
    started.on("session", (session) => {
      connections++;
      sessions.add(session.on("error", () => {}));
    });
    await new Promise<void>((resolve) => started.listen(port, "127.0.0.1", resolve));
    port = (started.address() as AddressInfo).port;
    fake.authority = `127.0.0.1:${port}`;
    server = started;
  }

  async function stop(): Promise<void> {
    for (const session of sessions) session.destroy();
    sessions.clear();
    const stopped = server;
    server = undefined;
    if (stopped) await new Promise((resolve) => stopped.close(resolve));
  }

  function routes(router: Parameters<Parameters<typeof connectNodeAdapter>[0]["routes"]>[0]): void {
    router.service(RegistryService, {
      current({ arch, os, arifactName }) {
        refused();
        fake.requests.push({ arch, os, arifactName });
        const { createdAt, ...answer } = fake.answer;
        return createdAt ? { ...answer, createdAt: timestampFromDate(createdAt) } : answer;
      },
      report({ id, tag, command, err }) {
        refused();
        fake.reports.push({ id, tag, command, err });
        return {};
      },
    });
  }

  function refused(): void {
    if (fake.refuse) throw new ConnectError("no", fake.refuse.code, fake.refuse.headers);
  }
}
