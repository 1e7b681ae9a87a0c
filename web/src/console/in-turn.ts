/** Does the work whenever it is asked for, never twice at once; what is asked for meanwhile is done once after it. */
export function inTurn(work: () => Promise<void>): () => void {
  let isUnderWay = false;
  let isWanted = false;
  const run = async (): Promise<void> => {
    isUnderWay = true;
    while (isWanted) {
      isWanted = false;
      await work();
    }
    isUnderWay = false;
  };
  return () => {
    isWanted = true;
    if (!isUnderWay) void run();
  };
}
