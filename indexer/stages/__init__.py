"""The stages of a build, a module each: functions of a job and the number of a unit."""
