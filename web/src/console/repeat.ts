/** Does the work every so often while the page is looked at; call the answer to stop. */
export function repeat(everyMs: number, work: () => Promise<void>): () => void {
  let isUnderWay = false;
  const timer = setInterval(() => {
    if (document.hidden || isUnderWay) return;
    isUnderWay = true;
    void work().finally(() => (isUnderWay = false));
  }, everyMs);
  return () => clearInterval(timer);
}
