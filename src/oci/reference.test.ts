import { describe, expect, it } from "vitest";
import { digestOf } from "./digest.ts";
import { isLoopback, parseReference } from "./reference.ts";

const digest = digestOf("");

describe("parseReference", () => {
  it.each([
    ["ghcr.io/acme/app:v1", { host: "ghcr.io", repository: "acme/app", tag: "v1" }],
    ["localhost:5000/app", { host: "localhost:5000", repository: "app", tag: undefined }],
    ["[::1]:5000/app:v1", { host: "[::1]:5000", repository: "app", tag: "v1" }],
    [`a.test/app:v1@${digest}`, { host: "a.test", repository: "app", tag: "v1", digest }],
  ])("reads %s", (text, expected) => {
    expect(parseReference(text)).toMatchObject(expected);
  });

  it.each([
    ["", "NAME_INVALID"],
    ["app:v1", "NAME_INVALID"],
    ["a.test:99999/app", "NAME_INVALID"],
    ["[::::]/app", "NAME_INVALID"],
    ["a.test/App", "NAME_INVALID"],
    ["a.test/app//b", "NAME_INVALID"],
    ["a.test/app:", "TAG_INVALID"],
    ["a.test/app:v1+blue", "TAG_INVALID"],
    ["a.test/app@sha256:00", "DIGEST_INVALID"],
  ])("refuses %j", (text, code) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code }));
  });
});

it.each([
  ["localhost:5000", true],
  ["127.0.0.1", true],
  ["[::1]:5000", true],
  ["127.0.0.1.example.com", false],
  ["localhost.example.com", false],
])("knows whether %s is this machine", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
