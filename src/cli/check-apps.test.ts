import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planned } from "./main.fake.ts";

describe("dewy.yaml, by dewy config check,", () => {
  it("is checked as a whole: a line for each mistake, or one for each app", async () => {
    const apps = "apps:\n  web: { registry: ghr://a/web?artifact=x, port: 80, command: [a] }\n";
    const wrong = await read(`intervall: 5\nslot: 7\n${apps}`, ["config", "check"]);
    const right = await read(apps, ["config", "check", "dewy.yaml"]);

    expect(wrong).toMatchObject({ status: 2, printed: [] });
    expect(wrong.noted.map((line) => line.slice(0, 21))).toEqual([
      "dewy: dewy.yaml:2:1: ",
      "dewy: dewy.yaml:1:1: ",
    ]);
    expect(right).toMatchObject({ status: 0, noted: [] });
    expect(right.printed).toEqual([
      `web  server  ghr://a/web  ports 80  ${join(right.directory, "web")}`,
    ]);
  });

  it.each([
    ["a: { registry: ghr://owner }", "dewy.yaml: a: registry: "],
    ["a: { registry: img://h/a?slto=b }", "dewy.yaml: a: registry: img:// takes no slto"],
    ["a: { registry: img://h/a, calver: nonsense }", "dewy.yaml: a: calver: "],
    ["a: { registry: img://h/a, constraint: newest }", "dewy.yaml: a: constraint: "],
    ["a: { registry: img://h/a, notifier: fax://office }", "dewy.yaml: a: notifier: "],
    ["a: { registry: img://h/a, notifier: slack://general }", "SLACK_TOKEN"],
    ["a: { registry: img://h/a, cache: disk://a }", "dewy.yaml: a: cache: there is no cache"],
    [
      "{ registry: img://h/a, directory: x }, b: { registry: img://h/b, directory: x }",
      "share the directory",
    ],
  ])("is looked into as by a start: %s", async (app, expected) => {
    const apps = app.startsWith("{") ? `a: ${app}` : app;
    const text = `mode: assets\napps: { ${apps} }\n`;

    const { status, noted, printed } = await read(text, ["config", "check"]);

    expect(noted).toEqual([expect.stringContaining(expected)]);
    expect({ status, printed }).toEqual({ status: 2, printed: [] });
  });

  it.each([
    ["port: 80-81, health-notify: fd:4", "descriptors 3 to 4: write fd:5 or more"],
    ["health-notify: fd:2", "0 to 2 are taken: write fd:3 or more"],
    ["health-notify: s6", "write systemd, or fd: and the number of a descriptor"],
    ["health-notify: systemd", "health-notify systemd: systemd-socket-activate is not on PATH"],
  ])("has to say where an app tells that it is ready: %s", async (options, expected) => {
    const app = `{ registry: "img://h/a", command: [a], ${options} }`;

    const { status, noted } = await read(`apps: { a: ${app} }\n`, ["config", "check"]);

    expect(noted).toEqual([expect.stringContaining(expected)]);
    expect(status).toBe(2);
  });

  it("is looked into for each of its notifiers, and for where metrics are sent", async () => {
    const { noted } = await read(
      "registry: img://h/a\nmode: assets\nnotifier: [fax://a, telex://b]\notlp-endpoint: ftp://h\n",
      ["config", "check"],
    );

    expect(noted).toEqual([
      expect.stringContaining("dewy.yaml: otlp-endpoint: this is no endpoint"),
      expect.stringContaining("dewy.yaml: a: notifier: there is no notifier fax"),
      expect.stringContaining("dewy.yaml: a: notifier: there is no notifier telex"),
    ]);
  });

  it("of a thousand apps is checked within the time of a test", async () => {
    const apps = Array.from(
      { length: 1000 },
      (_, place) => `  a${place}: { registry: ghr://a/b }\n`,
    );

    const text = `mode: assets\napps:\n${apps.join("")}`;
    const { status, printed } = await read(text, ["config", "check"]);

    expect({ status, count: printed.length }).toEqual({ status: 0, count: 1000 });
  });
});

/** Calls `dewy` with `args` where `text` is the `dewy.yaml`. */
async function read(text: string, args: readonly string[], variables = {}) {
  const environment = { GITHUB_TOKEN: "token", ...variables };
  const directory = await mkdtemp(join(tmpdir(), "dewy-yaml-"));
  await writeFile(join(directory, "dewy.yaml"), text);
  return { directory, ...(await planned(args, { directory, environment })) };
}
