import { describe, expect, it } from "vitest";
import { formatChallenge, parseChallenges } from "./challenge.ts";

describe("parseChallenges", () => {
  it.each([
    ["Basic", [{ scheme: "basic", parameters: {} }]],
    [
      'Basic realm="Registry, the \\"best\\""',
      [{ scheme: "basic", parameters: { realm: 'Registry, the "best"' } }],
    ],
    [
      'Bearer realm="https://a.test/token",service="s",scope="repository:a/b:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: {
            realm: "https://a.test/token",
            service: "s",
            scope: "repository:a/b:pull,push",
          },
        },
      ],
    ],
    [
      'Negotiate, Basic realm=x, BEARER Realm = "y" , service=z',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: { realm: "x" } },
        { scheme: "bearer", parameters: { realm: "y", service: "z" } },
      ],
    ],
    [
      'Negotiate abcd==, Basic realm="x"',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: { realm: "x" } },
      ],
    ],
    ["", []],
    ['Bearer realm="never ended', [{ scheme: "bearer", parameters: {} }]],
  ])("reads %s", (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected);
  });
});

it("writes what it reads", () => {
  const parameters = { realm: 'say "\\"', service: "s, t", scope: undefined };

  const written = formatChallenge({ scheme: "bearer", parameters });

  expect(written).toBe('Bearer realm="say \\"\\\\\\"",service="s, t"');
  expect(parseChallenges(written)).toEqual([
    { scheme: "bearer", parameters: { realm: 'say "\\"', service: "s, t" } },
  ]);
});
