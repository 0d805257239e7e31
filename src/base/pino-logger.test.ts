import { expect, it } from "vitest";
import { openLogger } from "./pino-logger.ts";

it("writes for logstash", () => {
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line) };

  openLogger({ level: "info", format: "logstash" }, output).info("request", { status: 200 });

  expect(JSON.parse(lines.join(""))).toEqual({
    "@timestamp": expect.stringMatching(/^\d{4}-.*Z$/),
    "@version": "1",
    level: "info",
    message: "request",
    status: 200,
  });
});
