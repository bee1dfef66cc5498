"""Import files on disk: uploads on their way in, and the folder of each job."""
