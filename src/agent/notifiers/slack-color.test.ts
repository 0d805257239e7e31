import { describe, expect, it } from "vitest";
import { colorCode, colorOf } from "./slack-color.ts";

describe("the colour of a host", () => {
  it.each([
    ["localhost", "#421AA9"],
    ["web-1", "#A2E3A9"],
  ])("is the beginning of its name's MD5 (%s)", (host, color) => {
    expect(colorOf(host)).toBe(color);
  });

  it.each<[readonly [number, number, number], string]>([
    [[0xcc, 0, 0], "#CC7700"],
    [[0xff, 0, 0], "#FF9500"],
    [[0xff, 0, 0x33], "#FF6200"],
    [[0xcc, 0x33, 0x33], "#CC8C33"],
  ])("is turned away from the red of failures (%j)", (color, shown) => {
    expect(colorCode(color)).toBe(shown);
  });

  it.each<[readonly [number, number, number], string]>([
    [[0xcb, 0, 0], "#CB0000"],
    [[0xff, 0x34, 0], "#FF3400"],
    [[0xff, 0, 0x34], "#FF0034"],
    [[0, 0, 0], "#000000"],
  ])("is left as it is where it is not red (%j)", (color, shown) => {
    expect(colorCode(color)).toBe(shown);
  });
});
