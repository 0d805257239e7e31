import { expect, it } from "vitest";
import { openCommandLine } from "./command-line.ts";

const shell = openCommandLine("/bin/sh", {});

it("does not wait for an engine that never answers, nor for what that has started", async ({
  signal,
}) => {
  const hanging = shell.run(
    ["-c", "sleep 1000 & exec sleep 1000"],
    { what: "ps", limitMs: 100 },
    { signal },
  );

  await expect(hanging).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "/bin/sh ps took longer than 0.1 s",
  });
});

it("says what the engine said, without what it was told in confidence", async ({ signal }) => {
  const refused = shell.run(
    ["-c", "echo bad value opensesame >&2; exit 1"],
    { what: "run app", secrets: ["opensesame"] },
    { signal },
  );

  await expect(refused).rejects.toMatchObject({
    code: "REFUSED",
    message: "/bin/sh: run app: bad value ***",
  });
});

it("ends with its call while it tells lines", async () => {
  const over = new AbortController();
  const lines = shell.lines(["-c", "echo one; exec sleep 1000"], { what: "events" }, over);

  expect(await lines.next()).toEqual({ done: false, value: "one" });
  over.abort();

  await expect(lines.next()).rejects.toThrow();
});
