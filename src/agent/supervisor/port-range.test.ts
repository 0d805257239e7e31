import { describe, expect, it } from "vitest";
import { parsePorts } from "./port-range.ts";

describe("parsePorts", () => {
  it.each([
    [[], []],
    [["8080"], [8080]],
    [["8080,8085-8087,8090"], [8080, 8085, 8086, 8087, 8090]],
    [[" 8080 - 8082 "], [8080, 8081, 8082]],
    [
      ["9000", "8000-8001"],
      [8000, 8001, 9000],
    ],
    [
      ["8081", "8080-8082", "8080"],
      [8080, 8081, 8082],
    ],
    [["8080,,", ""], [8080]],
    [
      ["1", "65535"],
      [1, 65_535],
    ],
    [["80-80"], [80]],
  ])("reads %j", (values, ports) => {
    expect(parsePorts(values)).toEqual(ports);
  });

  it("takes a range of 101 ports, as the original does", () => {
    expect(parsePorts(["8000-8100"])).toHaveLength(101);
  });

  it.each([
    ["", "there is no port in it"],
    [",", "there is no port in it"],
    ["8080-8081-8082", 'not a port: "8080-8081-8082"'],
    ["8082-8080", 'the range "8082-8080" runs backwards'],
    ["8000-8200", 'the range "8000-8200" names 201 ports'],
    ["8000-8101", 'the range "8000-8101" names 102 ports'],
    ["70000", 'no such port: 70000 in "70000"'],
    ["65530-70000", 'no such port: 70000 in "65530-70000"'],
    ["0", 'no such port: 0 in "0"'],
    ["-1", 'not a port: "-1"'],
    ["80,http", 'not a port: "http"'],
    ["0x50", 'not a port: "0x50"'],
    ["8e3", 'not a port: "8e3"'],
    ["80.5", 'not a port: "80.5"'],
    ["8080:80", 'not a port: "8080:80"'],
  ])("refuses %s", (value, message) => {
    expect(() => parsePorts([value])).toThrow(
      expect.objectContaining({ code: "INVALID", message }),
    );
  });
});
