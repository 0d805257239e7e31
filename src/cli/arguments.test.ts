import { describe, expect, it } from "vitest";
import { arranged } from "./arguments.ts";

const commands = ["server", "assets", "run", "push", "registry serve", "config check"];

describe("arranged", () => {
  it.each([
    ["server --registry a://b -- app -v", "server --registry a://b -- app -v"],
    ["--registry a://b server -p 8000 -- app", "server --registry a://b --port 8000 -- app"],
    ["--registry a://b -- app", "server --registry a://b -- app"],
    ["-- app", "server -- app"],
    ["a://b -- app", "server --registry a://b -- app"],
    ["server a://b -- app", "server --registry a://b -- app"],
    ["a://b assets", "assets --registry a://b"],
    ["server app a://b", "server app a://b"],
    ["server app -p 1 arg", "server --port 1 app arg"],
    ["server --slot -- -- app", "server --slot -- -- app"],
    ["server -p8000 -- app", "server --port=8000 -- app"],
    ["server -p=8000 -i=5s -- app", "server --port=8000 --interval=5s -- app"],
    ["server --slot=a=b -- app", "server --slot=a=b -- app"],
    ["server --telemetry=yes --scrub-env=false", "server --telemetry --no-scrub-env"],
    ["--log-level debug run dewy.yaml", "run --log-level debug dewy.yaml"],
    [
      "push a.tar img://h/a:v1 --platform linux/amd64",
      "push a.tar img://h/a:v1 --platform linux/amd64",
    ],
    ["-l debug registry serve config.yml", "registry serve --log-level debug config.yml"],
    ["registry", "registry"],
    ["config chekc", "config chekc"],
    ["help", "--help"],
    ["help registry serve", "registry serve --help"],
    ["server -- help", "server -- help"],
    ["servr --registry a://b -- app", "servr"],
    ["--registry a://b servr -- app", "servr"],
    ["--registri a://b server", "server --registri --registry a://b"],
    ["--registri x server", "server --registri x"],
    ["--registri x", "server --registri"],
    ["--help --registry a://b", "--help"],
    ["-v", "-v"],
    ["server -h", "server -h"],
    ["", ""],
  ])("reads %s as %s", (given, expected) => {
    expect(arranged(given.split(" ").filter(Boolean), commands).args.join(" ")).toBe(expected);
  });

  it("takes --notify for --notifier, with one warning", () => {
    const { args, warnings } = arranged(
      ["server", "--notify", "slack://a", "--notify=slack://b"],
      commands,
    );

    expect(args).toEqual(["server", "--notifier", "slack://a", "--notifier=slack://b"]);
    expect(warnings).toEqual(["--notify is an old name: write --notifier"]);
  });

  it.each([
    ["--registry a://b", "what to do with the releases"],
    ["a://b", "what to do with the releases"],
    ["server a://b --registry c://d", "named twice"],
    ["server --registry=c://d a://b", "named twice"],
    ["server --telemetry=perhaps", "--telemetry: write true or false"],
  ])("refuses %s", (line, message) => {
    expect(() => arranged(line.split(" "), commands)).toThrow(message);
  });
});
