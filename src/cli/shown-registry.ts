/** A registry's URL without what may be secret in it. */
export function shownRegistry(url: string): string {
  return url.replace(/\?.*$/s, "").replace(/\/\/[^/@]*@/, "//***@");
}
