-- When the download of an update began, attempts and waiting between them included.
ALTER TABLE updates ADD COLUMN downloading_at BIGINT;
-- Whether a device ever sent progress: its silence is judged by phase, although it may have no agent.
ALTER TABLE devices ADD COLUMN sends_progress BIGINT NOT NULL DEFAULT 0;
