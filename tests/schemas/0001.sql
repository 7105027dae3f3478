BEGIN TRANSACTION;
CREATE TABLE checkpoint_files (
	checkpoint INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	CONSTRAINT pk_checkpoint_files PRIMARY KEY (checkpoint, name), 
	CONSTRAINT fk_checkpoint_files_checkpoint FOREIGN KEY(checkpoint) REFERENCES checkpoints (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "checkpoint_files" VALUES(1,'config.json',1,'f');
CREATE TABLE checkpoints (
	id INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	store VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	step BIGINT NOT NULL, 
	epoch DOUBLE NOT NULL, 
	is_best BOOLEAN NOT NULL, 
	is_last BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	removed DATETIME, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (id), 
	CONSTRAINT fk_checkpoints_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE, 
	CONSTRAINT fk_checkpoints_store FOREIGN KEY(store) REFERENCES stores (id)
);
INSERT INTO "checkpoints" VALUES(1,'kept','f70f9c72-5f03-446e-93dc-838991310bf8','runs/kept',1,1.0,1,1,'2026-11-21 09:26:39.930016',NULL);
CREATE TABLE labelkit_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT labelkit_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "labelkit_version" VALUES('0001');
CREATE TABLE metrics (
	run VARCHAR NOT NULL, 
	task VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	step BIGINT NOT NULL, 
	name VARCHAR NOT NULL, 
	type VARCHAR NOT NULL, 
	epoch DOUBLE NOT NULL, 
	value DOUBLE, 
	text VARCHAR, 
	CONSTRAINT pk_metrics PRIMARY KEY (run, task, split, step, name, type), 
	CONSTRAINT fk_metrics_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "metrics" VALUES('kept','ner','test',1,'f1','',1.0,1.0,NULL);
CREATE TABLE plan_values (
	run VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	text VARCHAR NOT NULL, 
	number DOUBLE, 
	origin VARCHAR NOT NULL, 
	CONSTRAINT pk_plan_values PRIMARY KEY (run, "key"), 
	CONSTRAINT fk_plan_values_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "plan_values" VALUES('kept','a','1',1.0,'');
CREATE TABLE runs (
	id VARCHAR NOT NULL, 
	name VARCHAR, 
	group_id VARCHAR, 
	task VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	started DATETIME NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	ended DATETIME, 
	seconds DOUBLE, 
	error VARCHAR, 
	hint VARCHAR, 
	labelkit VARCHAR NOT NULL, 
	recipe VARCHAR, 
	data VARCHAR NOT NULL, 
	synthetic BOOLEAN NOT NULL, 
	model VARCHAR NOT NULL, 
	model_revision VARCHAR, 
	model_sha256 VARCHAR, 
	metric VARCHAR NOT NULL, 
	metric_key VARCHAR NOT NULL, 
	higher_is_better BOOLEAN NOT NULL, 
	seed BIGINT NOT NULL, 
	device_type VARCHAR, 
	device_name VARCHAR, 
	device_count INTEGER, 
	precision VARCHAR, 
	driver VARCHAR, 
	peak_memory BIGINT, 
	git_commit VARCHAR, 
	git_dirty BOOLEAN, 
	host VARCHAR NOT NULL, 
	pid INTEGER NOT NULL, 
	command VARCHAR NOT NULL, 
	python VARCHAR NOT NULL, 
	schema JSON, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('kept',NULL,NULL,'ner','token','finished','2026-11-21 09:00:00.000000','2026-11-21 09:26:39.931281','2026-11-21 09:26:39.931281',1.0,NULL,NULL,'0.1.0',NULL,'d',0,'m',NULL,NULL,'s','f1',1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'host',1,'labelkit run ner','3.11.2',NULL);
CREATE TABLE scores (
	run VARCHAR NOT NULL, 
	task VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	type VARCHAR NOT NULL, 
	step BIGINT NOT NULL, 
	epoch DOUBLE NOT NULL, 
	value DOUBLE, 
	text VARCHAR, 
	CONSTRAINT pk_scores PRIMARY KEY (run, task, split, name, type), 
	CONSTRAINT fk_scores_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "scores" VALUES('kept','ner','test','f1','',1,1.0,1.0,NULL);
CREATE TABLE splits (
	run VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	ref VARCHAR NOT NULL, 
	content_hash VARCHAR NOT NULL, 
	examples BIGINT NOT NULL, 
	words BIGINT NOT NULL, 
	carved BOOLEAN NOT NULL, 
	CONSTRAINT pk_splits PRIMARY KEY (run, split), 
	CONSTRAINT fk_splits_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "splits" VALUES('kept','test','d','f',1,1,0);
CREATE TABLE stores (
	id VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	root VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_stores PRIMARY KEY (id)
);
INSERT INTO "stores" VALUES('f70f9c72-5f03-446e-93dc-838991310bf8','host','/home','2026-11-21 09:26:39.771210');
CREATE TABLE versions (
	run VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	CONSTRAINT pk_versions PRIMARY KEY (run, kind, name), 
	CONSTRAINT fk_versions_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "versions" VALUES('kept','library','torch','2');
CREATE INDEX ix_runs_started_id ON runs (started, id);
CREATE INDEX ix_runs_task_status_started ON runs (task, status, started);
CREATE INDEX ix_runs_status_started ON runs (status, started);
CREATE INDEX ix_runs_name ON runs (name);
CREATE INDEX ix_runs_group_id ON runs (group_id);
CREATE INDEX ix_plan_values_key_number ON plan_values ("key", number);
CREATE INDEX ix_splits_split_content_hash ON splits (split, content_hash);
CREATE INDEX ix_scores_task_split_name_type_value ON scores (task, split, name, type, value);
CREATE INDEX ix_checkpoints_run ON checkpoints (run);
CREATE UNIQUE INDEX ix_checkpoints_store_path ON checkpoints (store, path) WHERE removed IS NULL;
CREATE INDEX ix_checkpoint_files_sha256 ON checkpoint_files (sha256);
COMMIT;
