import { describe, expect, it } from "vitest";
import { nextPage } from "./page-link.ts";

const page = new URL("https://a.test/v2/app/tags/list?n=2");

describe("nextPage", () => {
  it.each([
    [undefined, undefined],
    ['</v2/app/tags/list?last=b&n=2>; rel="next"', "https://a.test/v2/app/tags/list?last=b&n=2"],
    ['<https://a.test/x>; rel="prev", <https://a.test/y>; rel="next"', "https://a.test/y"],
    ['<https://a.test/x>; title="a, rel=next"; rel="last"', undefined],
    ["<?page=2>; rel=next", "https://a.test/v2/app/tags/list?page=2"],
    ['</z>; rel="prefetch next"', "https://a.test/z"],
  ])("finds in %s the page %s", (header, expected) => {
    expect(nextPage(header, page)?.href).toBe(expected);
  });

  it.each(["https://b.test/x", "http://a.test/x", "https://a.test:444/x"])(
    "does not take our credentials to %s",
    (target) => {
      expect(() => nextPage(`<${target}>; rel="next"`, page)).toThrow("continues its list");
    },
  );
});
