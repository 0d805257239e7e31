#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { serveReleases } from "./release-server.ts";

/**
 * A release registry of your own, for `dewy server --registry grpc://HOST:9000`:
 *
 *   node dist/examples/grpc-registry/server.js RELEASES [--port 9000]
 *     [--cert PEM --key PEM [--client-ca PEM]] [--artifacts https://files.example.com/]
 *
 * It announces the newest version among the directories of RELEASES, and prints what agents report.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: "string", default: "9000" },
    cert: { type: "string" },
    key: { type: "string" },
    "client-ca": { type: "string" },
    artifacts: { type: "string" },
  },
});
const [directory] = positionals;
const { cert, key, "client-ca": clientCa } = values;
if (directory === undefined || (cert === undefined) !== (key === undefined)) {
  console.error("usage: server.js RELEASES [--port N] [--cert PEM --key PEM [--client-ca PEM]]");
  process.exit(2);
}
const clients = clientCa ? { ca: readFileSync(clientCa), requestCert: true } : {};
const secure =
  cert && key ? { cert: readFileSync(cert), key: readFileSync(key), ...clients } : undefined;

const server = await serveReleases({
  directory,
  port: Number(values.port),
  artifactsUrl: values.artifacts,
  secure,
  report: (report) => console.log(JSON.stringify(report)),
});
console.log(JSON.stringify({ listening: server.port, tls: secure !== undefined }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => server.close());
