import { open } from "node:fs/promises";
import { expect, it } from "vitest";
import { ConfigError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { type LoggerOptions, lossyOutput, openLogger } from "./pino-logger.ts";
import { Secret } from "./secret.ts";

it.each([
  ["a word", { tag: "v1" }, "tag=v1"],
  ["what has spaces, in quotes", { from: "a b" }, 'from="a b"'],
  ["an equals sign, in quotes", { query: "a=b" }, 'query="a=b"'],
  ["nothing, in quotes", { name: "" }, 'name=""'],
  ["a line break, escaped", { output: "a\nb" }, 'output="a\\nb"'],
  ["a number", { count: 7 }, "count=7"],
  ["a list", { ports: [8000, 8001] }, "ports=[8000,8001]"],
  ["a secret, hidden", { token: new Secret("hunter2") }, "token=***"],
  [
    "a secret inside, hidden",
    { auth: { token: new Secret("hunter2") } },
    '{\\"token\\":\\"***\\"}',
  ],
  [
    "an error by its message and hint",
    { error: new ConfigError("no token", { hint: "set one" }) },
    'error="no token: set one"',
  ],
])("writes %s", (_name, fields, expected) => {
  const line = written({ level: "info", format: "text" }, (logger) => logger.info("hello", fields));

  expect(line).toMatch(/^time=\d{4}-\d\d-\d\dT\S+Z level=INFO msg=hello /);
  expect(line).toContain(expected);
});

it("writes the same as one JSON object", () => {
  const line = written({ level: "info", format: "json", fields: { app: "a" } }, (logger) =>
    logger.with({ port: 1 }).warn("hello", { tag: "v1" }),
  );

  expect(JSON.parse(line)).toEqual({
    time: expect.any(String),
    level: "WARN",
    msg: "hello",
    app: "a",
    port: 1,
    tag: "v1",
  });
});

it("writes logstash's names when asked to", () => {
  const line = written({ level: "info", format: "logstash" }, (logger) => logger.error("hello"));

  expect(JSON.parse(line)).toEqual({
    "@timestamp": expect.any(String),
    "@version": "1",
    level: "error",
    message: "hello",
  });
});

it("shows the stack of what is a bug", () => {
  const line = written({ level: "info", format: "text" }, (logger) =>
    logger.error("failed", { error: new TypeError("undefined is not a function") }),
  );

  expect(line).toContain("pino-logger.test.ts");
});

it("leaves out what is below its level", () => {
  expect(written({ level: "warn", format: "text" }, (logger) => logger.info("hello"))).toBe("");
});

function written(options: LoggerOptions, log: (logger: Logger) => void): string {
  let output = "";
  const write = (line: string) => {
    output += line;
  };
  log(openLogger(options, { write }));
  return output;
}

it.skipIf(process.platform !== "linux")("survives a file that takes no more", async () => {
  const full = await open("/dev/full", "w");
  const logger = openLogger({ level: "info", format: "text" }, lossyOutput(full.fd));

  for (let count = 0; count < 3; count++) logger.info("Dewy started");
  await new Promise((resolve) => setImmediate(resolve)); // errors may come as events

  await full.close();
});
