import { describe, expect, it } from "vitest";
import { parsePortMappings } from "./port-mapping.ts";

describe("parsePortMappings", () => {
  it.each([
    [["8080"], [[8080, undefined]]],
    [["80:8080"], [[80, 8080]]],
    [
      ["443:8443", "80:8080"],
      [
        [80, 8080],
        [443, 8443],
      ],
    ],
    [
      ["7100:3333,7101:3333"],
      [
        [7100, 3333],
        [7101, 3333],
      ],
    ],
    [
      ["8000-8001", "80:1"],
      [
        [80, 1],
        [8000, undefined],
        [8001, undefined],
      ],
    ],
    [[], []],
  ])("reads %j", (values, expected) => {
    const mappings = parsePortMappings(values);

    expect(mappings.map(({ port, containerPort }) => [port, containerPort])).toEqual(expected);
  });

  it.each([
    ["80:", /not a port/],
    [":80", /not a port/],
    ["80:1:2", /not a port/],
    ["80:0", /no such port: 0/],
    ["70000:1", /no such port: 70000/],
    ["80-81:8080", /maps a range/],
    ["80:1,80:2", /port 80 leads to two places/],
    ["80,80:2", /port 80 leads to two places/],
    [",", /there is no port in it/],
  ])("refuses %s", (value, message) => {
    expect(() => parsePortMappings([value])).toThrow(message);
  });
});
