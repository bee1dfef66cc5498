-- CreateTable
CREATE TABLE "job_clocks" (
    "kind" TEXT NOT NULL,
    "next_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "job_clocks_pkey" PRIMARY KEY ("kind")
);
