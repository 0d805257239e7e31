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

it.each([
  {
    what: "an image's command that cannot be executed",
    said: `docker: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/app": permission denied: unknown.`,
    ...{
      code: "NOT_STARTED",
      says: /"\/app": permission denied: unknown$/,
      hint: /^check the command/,
    },
  },
  {
    what: "an option of the engine's that there is not",
    said: "unknown flag: --memry\n\nUsage:  docker run [OPTIONS] IMAGE\n\nRun 'docker run --help' for more information",
    ...{ code: "REFUSED", says: /: unknown flag: --memry$/, hint: /^correct what is after --/ },
  },
  {
    what: "a value of it that means nothing",
    said: `invalid argument "3x" for "-m, --memory" flag: invalid suffix: 'x'\nSee 'docker run --help'.`,
    ...{ code: "REFUSED", says: /invalid suffix: 'x'$/, hint: /^correct what is after --/ },
  },
  {
    what: "a registry that lets nobody in",
    said: "Error response from daemon: pull access denied for app",
    ...{ code: "UNAUTHORIZED", says: /pull access denied for app$/, hint: /^sign in/ },
  },
])("says what to do about $what", async ({ said, code, says, hint }) => {
  const script = 'echo "$0" >&2; exit 125';

  const refused = shell.run(["-c", script, said], { what: "run app" }, new AbortController());

  await expect(refused).rejects.toMatchObject({
    ...{ code, message: expect.stringMatching(says), hint: expect.stringMatching(hint) },
  });
});

it("ends with its call while it tells lines", async () => {
  const over = new AbortController();
  const lines = shell.lines(["-c", "echo one; exec sleep 1000"], { what: "events" }, over);

  expect(await lines.next()).toEqual({ done: false, value: "one" });
  over.abort();

  await expect(lines.next()).rejects.toThrow();
});
